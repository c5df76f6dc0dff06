"""The arguments an engine is started with for a candidate: lists, never shell strings."""

from __future__ import annotations

from planner.hardware.hardware import Hardware
from planner.planning.deciding import Choice
from planner.request import Workload
from planner.support import engines

KV_FLAGS = {"vllm": {"fp8": "fp8"}, "llama.cpp": {"16-bit": "f16", "int8": "q8_0"}}


def engine_arguments(choice: Choice, tensor_parallel: int, workload: Workload, hardware: Hardware) -> tuple[str, ...]:
    """What to pass to the engine's server besides the model and its address; empty for engines without a server."""
    build = {"vllm": _vllm, "llama.cpp": _llama_cpp, "sglang": _sglang}.get(choice.engine)
    return tuple(build(choice, tensor_parallel, workload, hardware)) if build else ()


def _vllm(choice: Choice, tensor_parallel: int, workload: Workload, hardware: Hardware) -> list[str]:
    """The quantization method is not forced: vLLM reads it and picks the faster kernel (B.pitfall.2, overtaken)."""
    arguments = ["--max-model-len", str(workload.served_context_tokens)]
    arguments += ["--max-num-seqs", str(max(workload.concurrency, 1))]
    arguments += ["--gpu-memory-utilization", str(engines()["vllm"].usable_memory)]
    if tensor_parallel > 1:
        arguments += ["--tensor-parallel-size", str(tensor_parallel)]
    if flag := KV_FLAGS["vllm"].get(choice.kv_cache):
        arguments += ["--kv-cache-dtype", flag]
    return arguments


def _sglang(choice: Choice, tensor_parallel: int, workload: Workload, hardware: Hardware) -> list[str]:
    arguments = ["--context-length", str(workload.served_context_tokens)]
    arguments += ["--max-running-requests", str(workload.concurrency)]
    if tensor_parallel > 1:
        arguments += ["--tp-size", str(tensor_parallel)]
    if choice.kv_cache == "fp8":
        arguments += ["--kv-cache-dtype", "fp8_e4m3"]
    return arguments


def _llama_cpp(choice: Choice, tensor_parallel: int, workload: Workload, hardware: Hardware) -> list[str]:
    """One slot a request in flight; the context is shared by the slots, so it is multiplied by their number.

    Without `--cache-ram 0` llama-server keeps idle prompts in up to 8 GiB that no memory plan sees (llama.cpp #16391).
    """
    arguments = ["--ctx-size", str(workload.served_context_tokens * workload.concurrency)]
    arguments += ["--parallel", str(workload.concurrency)]
    if hardware.cpu and hardware.cpu.cores:
        arguments += ["--threads", str(hardware.cpu.cores)]
    kv = KV_FLAGS["llama.cpp"][choice.kv_cache]
    return [*arguments, "--cache-type-k", kv, "--cache-type-v", kv, "--cache-ram", "0"]
