"""What would free memory, and how much."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.memory.kv_cache import kv_cache
from planner.memory.levers import levers
from planner.memory.situation import Situation
from planner.memory.weights import weight_bytes
from planner.schemes import scheme


@pytest.fixture
def start(shape_of) -> Situation:
    """Llama-3.1-8B on an H100 with the defaults of vLLM 0.10, for 64 requests of 8192 tokens."""
    shape, bf16 = shape_of("llama-3.1-8b"), scheme("bf16")
    return Situation(
        shape=shape,
        scheme=bf16,
        weights=weight_bytes(shape, bf16),
        kv=kv_cache(shape, "16-bit"),
        physical_gib=79.19,
        context_tokens=8192,
        concurrency=64,
        engine_version="0.10",
        is_offloaded=True,
    )


def test_each_lever_names_its_price_and_its_gain_largest_first(start):
    found = {lever.setting: lever for lever in levers(start, "vllm")}
    assert list(found) == ["--kv-cache-dtype fp8", "--max-num-seqs 256"]
    assert found["--kv-cache-dtype fp8"].gain_gib == 32  # half of 64 x 8192 x 128 KiB
    assert found["--max-num-seqs 256"].gain_gib == pytest.approx(3.5, abs=0.1)
    assert found["--max-num-seqs 256"].in_exchange == "more than that many requests wait"


def test_a_lever_already_pulled_is_not_named_again(start):
    pulled = replace(start, kv=kv_cache(start.shape, "fp8"), kv_format="fp8", max_sequences=64)
    assert [lever.setting for lever in levers(pulled, "vllm")] == ["--max-num-batched-tokens 2048"]


def test_graphs_are_a_lever_once_they_are_in_the_budget(start):
    newer = replace(start, engine_version="0.27", max_sequences=64)
    assert "--enforce-eager" in [lever.setting for lever in levers(newer, "vllm")]


def test_llama_cpp_can_halve_its_cache(start):
    gguf = replace(start, scheme=scheme("gguf-q4_k_m"), weights=weight_bytes(start.shape, scheme("gguf-q4_k_m")))
    (lever,) = levers(replace(gguf, physical_gib=128), "llama.cpp")
    assert lever.setting == "--cache-type-k q8_0 --cache-type-v q8_0"
    assert lever.gain_gib == pytest.approx(64 * (1 - 1.0625 / 2), abs=0.05)
