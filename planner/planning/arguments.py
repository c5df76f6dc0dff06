"""The arguments an engine is started with for a candidate: lists, never shell strings."""

from __future__ import annotations

from collections.abc import Callable

from planner.hardware.hardware import Hardware
from planner.memory import vllm_cpu
from planner.memory.constants import engine_constants, version_number
from planner.plan import Memory
from planner.planning.deciding import Choice
from planner.request import Workload
from planner.support import engines
from rules.vocabulary import EngineId

KV_FLAGS = {
    "vllm": {"fp8": "fp8"},
    "sglang": {"fp8": "fp8_e4m3"},
    "tensorrt-llm": {"fp8": "fp8"},
    "llama.cpp": {"int8": "q8_0"},
}
PIPELINE_FLAGS = {"vllm": "--pipeline-parallel-size", "sglang": "--pp-size", "tensorrt-llm": "--pp_size"}
SIXTEEN_BIT = {"bf16": "bfloat16", "fp16": "float16"}


def engine_arguments(
    choice: Choice,
    tensor_parallel: int,
    workload: Workload,
    hardware: Hardware,
    memory: Memory,
    pipeline_parallel: int = 1,
) -> tuple[str, ...]:
    """What to pass to the engine's server besides the model and its address, in options its version knows."""
    build = _vllm_on_cpu if choice.engine == "vllm" and hardware.accelerator is None else BUILDERS[choice.engine]
    arguments = build(choice, tensor_parallel, workload, hardware, memory)
    if pipeline_parallel > 1 and choice.engine in PIPELINE_FLAGS:
        arguments += [PIPELINE_FLAGS[choice.engine], str(pipeline_parallel)]
    return tuple(known_only(choice.engine, hardware, arguments))


def engine_environment(engine: EngineId, hardware: Hardware) -> dict[str, str]:
    """What to add to the server's environment on this hardware (`{cores}` in the catalogue: its cores)."""
    if hardware.accelerator is not None:
        return {}
    cores = hardware.cpu.cores if hardware.cpu else None
    wanted: dict[str, str] = engines()[engine].on_cpu.get("environment", {})
    return {name: value.format(cores=cores) for name, value in wanted.items() if cores or "{cores}" not in value}


def known_only(engine: EngineId, hardware: Hardware, arguments: list[str]) -> list[str]:
    """The arguments without options (and their values) that came after the planned version."""
    entry = engines()[engine]
    version = version_number(entry.version_on(hardware))
    kept, keeping = [], True
    for argument in arguments:
        if argument.startswith("--"):
            keeping = version_number(entry.flags.get(argument, "0")) <= version
        kept += [argument] if keeping else []
    return kept


def _vllm(choice: Choice, tensor_parallel: int, workload: Workload, hardware: Hardware, memory: Memory) -> list[str]:
    """The quantization method is not forced: vLLM reads it and picks the faster kernel (B.pitfall.2, overtaken)."""
    arguments = _vllm_limits(choice, workload, memory)
    arguments += ["--gpu-memory-utilization", str(engines()["vllm"].usable_memory)]
    if tensor_parallel > 1:
        arguments += ["--tensor-parallel-size", str(tensor_parallel)]
    return arguments


def _vllm_on_cpu(
    choice: Choice, tensor_parallel: int, workload: Workload, hardware: Hardware, memory: Memory
) -> list[str]:
    """KV bytes are given, because vLLM's share of memory misreads a host; nothing is compiled or captured."""
    arguments = _vllm_limits(choice, workload, memory)
    arguments += ["--max-num-batched-tokens", str(engine_constants("vllm_cpu")["batched_tokens"])]
    arguments += ["--kv-cache-memory-bytes", str(vllm_cpu.pool_bytes(memory))]
    return [*arguments, "--enforce-eager"]


def _vllm_limits(choice: Choice, workload: Workload, memory: Memory) -> list[str]:
    arguments = ["--max-model-len", _context_limit(workload, memory)]
    arguments += ["--max-num-seqs", str(max(workload.concurrency, 1))]
    if dtype := SIXTEEN_BIT.get(choice.format):
        arguments += ["--dtype", dtype]
    if flag := KV_FLAGS["vllm"].get(choice.kv_cache):
        arguments += ["--kv-cache-dtype", flag]
    return arguments


def _context_limit(workload: Workload, memory: Memory) -> str:
    """The longest request of an engine whose requests share their cache."""
    return str(memory.context_limit_tokens or workload.served_context_tokens)


def _sglang(choice: Choice, tensor_parallel: int, workload: Workload, hardware: Hardware, memory: Memory) -> list[str]:
    arguments = ["--context-length", _context_limit(workload, memory)]
    arguments += ["--max-running-requests", str(workload.concurrency)]
    arguments += ["--mem-fraction-static", str(engines()["sglang"].usable_memory)]
    if tensor_parallel > 1:
        arguments += ["--tp-size", str(tensor_parallel)]
    if flag := KV_FLAGS["sglang"].get(choice.kv_cache):
        arguments += ["--kv-cache-dtype", flag]
    return arguments


def _tensorrt_llm(
    choice: Choice, tensor_parallel: int, workload: Workload, hardware: Hardware, memory: Memory
) -> list[str]:
    """What has no option of its own (the KV type) goes into a file of options, which rendering writes beside it."""
    arguments = ["--backend", "pytorch", "--max_seq_len", _context_limit(workload, memory)]
    arguments += ["--max_batch_size", str(workload.concurrency)]
    arguments += ["--kv_cache_free_gpu_memory_fraction", str(engines()["tensorrt-llm"].usable_memory)]
    if tensor_parallel > 1:
        arguments += ["--tp_size", str(tensor_parallel)]
    return arguments


def _transformers(
    choice: Choice, tensor_parallel: int, workload: Workload, hardware: Hardware, memory: Memory
) -> list[str]:
    """Its server has no limits to set; bitsandbytes is read from the checkpoint."""
    return ["--device", "cpu" if hardware.accelerator is None else "cuda"]


def _llama_cpp(
    choice: Choice, tensor_parallel: int, workload: Workload, hardware: Hardware, memory: Memory
) -> list[str]:
    """One slot a request in flight; the context is shared by the slots, so it is multiplied by their number.

    On GPUs the layers are counted out, lest llama-server lays them out by what it finds free.
    Without `--cache-ram 0` llama-server keeps idle prompts in up to 8 GiB that no memory plan sees (llama.cpp #16391).
    """
    arguments = ["--ctx-size", str(workload.served_context_tokens * workload.concurrency)]
    arguments += ["--parallel", str(workload.concurrency)]
    if hardware.cpu and hardware.cpu.cores:
        arguments += ["--threads", str(hardware.cpu.cores)]
    if hardware.accelerator is not None:
        arguments += _llama_cpp_layers(memory)
    kv = KV_FLAGS["llama.cpp"].get(choice.kv_cache, "f16")
    return [*arguments, "--cache-type-k", kv, "--cache-type-v", kv, "--cache-ram", "0", *memory.arguments]


def _llama_cpp_layers(memory: Memory) -> list[str]:
    """How many layers go to the GPUs, and of how many the experts stay on the host."""
    offload = memory.offload
    if offload is None:
        return ["--n-gpu-layers", "all"]
    experts = ["--n-cpu-moe", str(offload.cpu_expert_layers)] if offload.cpu_expert_layers else []
    return ["--n-gpu-layers", str(offload.gpu_layers), *experts]


BUILDERS: dict[EngineId, Callable[[Choice, int, Workload, Hardware, Memory], list[str]]] = {
    "vllm": _vllm,
    "sglang": _sglang,
    "tensorrt-llm": _tensorrt_llm,
    "transformers": _transformers,
    "llama.cpp": _llama_cpp,
}
