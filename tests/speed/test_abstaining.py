"""Outside its support the model says so: abstains with the reason, or marks a datasheet bound and widens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.hardware.hardware import Hardware
from planner.speed.estimate import Estimate

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def test_no_kernel_no_figure(predict) -> None:
    speed = predict(LLAMA, "1xA100-80GB-SXM", "fp8")
    assert speed.tpot_ms.value is None
    assert speed.tpot_ms.abstained == "vllm has no fp8 kernel for 1xA100-80GB-SXM"


def test_a_declared_cpu_has_no_measured_bandwidth(predict) -> None:
    speed = predict(LLAMA, "cpu:64GB", "gguf-q4_k_m", engine="llama.cpp")
    assert speed.output_tokens_per_s.abstained == (
        "bandwidth and arithmetic rate of a declared CPU are unknown; plan on the machine itself (--on here)"
    )


def test_a_combination_nobody_measured_is_a_marked_bound(predict) -> None:
    tpot = predict(LLAMA, "1xMI300X", "bf16").tpot_ms
    assert tpot.source.startswith("datasheet bound")
    assert tpot.high / tpot.low > 4


def test_constants_borrowed_from_a_neighbour_widen_the_interval(predict) -> None:
    measured, borrowed = (predict(LLAMA, gpu, "bf16").tpot_ms for gpu in ("1xH100-80GB-SXM", "1xRTX-4090"))
    assert borrowed.source.startswith("constants of vllm cublas-bf16 on ")
    assert borrowed.high / borrowed.low > measured.high / measured.low


def test_llama_cpp_on_another_kind_of_cpu_is_less_certain(predict, measured_cpu: Hardware) -> None:
    small = "Qwen/Qwen2.5-0.5B-Instruct"
    wider_cpu = replace(measured_cpu.cpu, instruction_sets=("avx", "avx2", "fma", "f16c", "avx512f"))
    here = predict(small, measured_cpu, "gguf-q4_k_m", engine="llama.cpp").tpot_ms
    elsewhere = predict(small, replace(measured_cpu, cpu=wider_cpu), "gguf-q4_k_m", engine="llama.cpp").tpot_ms
    assert elsewhere.value == here.value
    assert elsewhere.high / elsewhere.low > here.high / here.low


@pytest.mark.parametrize("gpu", ["1xH100-80GB-SXM", "1xA100-80GB-SXM", "1xB200", "1xRTX-4090", "1xMI300X"])
@pytest.mark.parametrize("concurrency", [1, 256])
def test_every_figure_lies_in_its_interval(predict, gpu: str, concurrency: int) -> None:
    speed = predict(LLAMA, gpu, "bf16", concurrency=concurrency)
    for estimate in (speed.ttft_ms, speed.tpot_ms, speed.output_tokens_per_s):
        assert 0 < estimate.low < estimate.value < estimate.high


def test_replicas_multiply_an_estimate_and_nothing_else() -> None:
    assert Estimate(2.0, 1.0, 3.0, "s").times(4) == Estimate(8.0, 4.0, 12.0, "s")
    assert Estimate.unknown("why").times(4) == Estimate.unknown("why")
