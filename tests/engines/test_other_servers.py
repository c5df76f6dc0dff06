"""Commands and logs of the engines that are carried out only where they are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from executor.engines.sglang import SglangServer
from executor.engines.tensorrt_llm import TensorRtLlmServer
from executor.engines.transformers import TransformersServer
from executor.engines.vllm import VllmServer
from executor.steps import supported
from executor.steps.launch import memory_summary
from executor.toolchains import Toolchains
from planner.errors import ExecutionFailed
from planner.hardware.nvml import DriverReading, GpuReading
from planner.launching.serving import Serving
from planner.planning import make_plan
from planner.request import Request

# Lines from logs of SGLang: of August 2025, vllm-project/vllm#21348 and sgl-project/sglang#29575.
SGLANG_LOG = """\
[TP0] Load weight end. type=DeepseekV3ForCausalLM, dtype=torch.bfloat16, avail mem=80.84 GB, mem usage=94.50 GB.
KV Cache is allocated. #tokens: 367404, K size: 8.23 GB, V size: 8.23 GB
max_total_num_tokens=2086558, chunked_prefill_size=8192, max_prefill_tokens=16384, max_running_requests=33
"""
# TensorRT-LLM 1.x lays the cache out twice: once to see what a step needs, and then for good.
TRTLLM_LOG = """\
[TensorRT-LLM][INFO] [MemUsageChange] Allocated 0.56 GiB for max tokens in paged KV cache (8224).
[TensorRT-LLM][INFO] [MemUsageChange] Allocated 26.91 GiB for max tokens in paged KV cache (220480).
"""


def test_sglangs_memory_is_read_from_its_log() -> None:
    memory = memory_summary(SglangServer().buffers(SGLANG_LOG), SglangServer().kv_tokens(SGLANG_LOG))
    assert memory["weights_gib"] == pytest.approx(94.50)
    assert memory["kv_cache_gib"] == pytest.approx(16.46)
    assert memory["kv_tokens"] == 2_086_558


def test_tensorrt_llms_cache_is_read_from_its_log() -> None:
    engine = TensorRtLlmServer()
    memory = memory_summary(engine.buffers(TRTLLM_LOG), engine.kv_tokens(TRTLLM_LOG))
    assert (memory["kv_cache_gib"], memory["kv_tokens"]) == (pytest.approx(26.91), 220_480)


@pytest.mark.parametrize(
    ("engine", "program"), [(VllmServer(), "vllm"), (SglangServer(), "sglang"), (TensorRtLlmServer(), "trtllm-serve")]
)
def test_a_gpu_engine_that_is_not_installed_says_so(engine, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ExecutionFailed, match=f"no program `{program}` on PATH"):
        engine.program(Toolchains())


def test_a_gpu_engine_that_is_installed_is_used(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "trtllm-serve"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert TensorRtLlmServer().program(Toolchains()) == [str(program), "serve"]


def test_sglangs_cache_and_split_are_as_planned() -> None:
    plan = make_plan(
        Request(model="llama-3.1-70b", hardware="2xH100-80GB", engine="sglang", kv_cache="fp8", tensor_parallel=2)
    )
    command = SglangServer().arguments(Serving("/m", "n", plan.chosen.engine_arguments, 30000))
    assert command[:3] == ["--model-path=/m", "--served-model-name=n", "--enable-metrics"]
    for option, value in (("--tp-size", "2"), ("--kv-cache-dtype", "fp8_e4m3"), ("--port", "30000")):
        assert command[command.index(option) + 1] == value


def test_transformers_serves_bitsandbytes_on_a_cpu() -> None:
    plan = make_plan(Request(model="qwen2.5-0.5b", hardware="cpu:16GB", engine="transformers", format="int8-bnb"))
    assert plan.chosen.engine_arguments == ("--device", "cpu")
    assert TransformersServer().tokenize_request("m", "text") is None
    assert TransformersServer().buffers("anything") == []
    assert TransformersServer().served_name(Path("/m"), "nice-name") == "/m"  # it refuses any other


def test_a_cache_type_that_would_be_lost_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """trtllm-serve reads it from a file of options; without that it would serve a 16-bit cache and say nothing."""
    plan = make_plan(Request(model="llama-3.1-8b", hardware="1xH100-80GB", engine="tensorrt-llm", kv_cache="fp8"))
    gpu = GpuReading(index=0, name="NVIDIA H100 80GB HBM3", memory_gib=79.6, free_memory_gib=79.0)
    monkeypatch.setattr(supported, "read_driver", lambda: DriverReading((gpu,)))
    with pytest.raises(ExecutionFailed, match="takes the type of its KV cache from a file of options"):
        supported.require_supported(plan)
