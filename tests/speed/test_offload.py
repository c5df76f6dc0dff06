"""Speed with part of a model in host memory, against runs that others published (benchmarks/measured/offload.csv)."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from planner.hardware.hardware import Cpu
from planner.hardware.resolving import resolve_hardware
from planner.models.catalogue import find
from planner.request import Workload
from planner.schemes import scheme
from planner.speed.offload import HostShare, host_efficiency, host_memory
from planner.speed.predicting import predict_speed

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import offload as published

RUNS = published.read_runs()
WEIGHTS_BYTES = 8.55e9  # Qwen2.5-14B Q4_K_M without its embeddings


@pytest.mark.parametrize("run", RUNS, ids=[run.name for run in RUNS])
def test_time_per_token_is_near_the_published_one(run):
    assert run.predicted_ms(host_efficiency()) == pytest.approx(run.measured_ms, rel=0.2)


def test_the_constant_is_what_the_published_runs_give():
    assert published.fitted(RUNS) == pytest.approx(host_efficiency(), abs=0.02)


def speed(host_layers, cpu, concurrency=1, input_tokens=1000, experts=0.0, model="qwen2.5-14b"):
    return predict_speed(
        find(model).shape,
        replace(resolve_hardware("1xRTX-5060-Ti-16GB"), cpu=cpu),
        scheme("gguf-q4_k_m"),
        engine="llama.cpp",
        tensor_parallel=1,
        kv_format="16-bit",
        weight_bytes_per_gpu=WEIGHTS_BYTES,
        kv_bytes_per_token=196608,
        workload=Workload(input_tokens=input_tokens, output_tokens=300, concurrency=concurrency),
        on_host=HostShare(host_layers, experts),
    )


I7_8700 = Cpu("Core i7-8700", 12, 32, bandwidth_gb_s=41.6)


@pytest.mark.parametrize(("layers", "tokens_per_s"), [(8, 3.58), (16, 4.24), (24, 5.61), (32, 7.26), (40, 12.5)])
def test_the_published_sweep_lies_inside_the_interval(layers, tokens_per_s):
    tpot = speed((49 - layers) / 48, I7_8700, input_tokens=100).tpot_ms
    assert tpot.low < 1000 / tokens_per_s < tpot.high


def test_each_layer_more_on_the_host_is_slower():
    times = [speed(share, I7_8700).tpot_ms.value for share in (0.1, 0.3, 0.6, 1.0)]
    assert times == sorted(times) and times[-1] > 3 * times[0]


def test_an_undeclared_host_widens_the_interval_and_says_so():
    known, unknown = speed(0.5, I7_8700).tpot_ms, speed(0.5, Cpu("declared host", 0, 64)).tpot_ms
    assert unknown.high / unknown.low > 2 * known.high / known.low
    assert unknown.source.endswith("host bandwidth not declared: 38.4 to 102.4 GB/s")
    assert known.source.endswith("host memory 41.6 GB/s")


def test_several_requests_are_less_certain_than_one():
    one, eight = speed(0.5, I7_8700).tpot_ms, speed(0.5, I7_8700, concurrency=8).tpot_ms
    assert eight.high / eight.value > one.high / one.value


def test_a_prompt_is_copied_a_micro_batch_at_a_time():
    one, two, three = (speed(0.5, I7_8700, input_tokens=tokens).ttft_ms.value for tokens in (512, 1024, 1536))
    assert three - two == pytest.approx(two - one, rel=0.05)
    assert two - one > 0.4 * WEIGHTS_BYTES / 2.9e6  # half of the weights at the published 2.9 GB/s


def test_experts_left_behind_cost_less_than_whole_layers():
    model = "qwen3-30b-a3b"
    experts = speed(0.0, I7_8700, experts=0.5, model=model).tpot_ms.value
    assert experts < speed(0.5, I7_8700, model=model).tpot_ms.value


def test_a_bandwidth_that_is_known_is_taken_as_it_is():
    assert host_memory(I7_8700).bandwidth_gb_s == 41.6
    assert (host_memory(I7_8700).fastest, host_memory(I7_8700).slowest) == (1.0, 1.0)


def test_more_gpus_do_not_make_llama_cpp_decode_faster():
    # Llama-2-70B in 4 bits: 15.45 tokens/s on four A100, 11.2 on eight (mlc-ai/llm-perf-bench)
    def tpot_ms(count):
        return predict_speed(
            find("llama-2-70b").shape,
            resolve_hardware(f"{count}xA100-80GB"),
            scheme("gguf-q4_k_m"),
            engine="llama.cpp",
            tensor_parallel=count,
            kv_format="16-bit",
            weight_bytes_per_gpu=41e9 / count,
            kv_bytes_per_token=327680 / count,
            workload=Workload(concurrency=1),
        ).tpot_ms.value

    assert tpot_ms(4) == pytest.approx(tpot_ms(2)) and tpot_ms(4) > 1000 / 35
