"""SGLang and TensorRT-LLM pools, against their logs and SGLang's own rule for its default."""

from __future__ import annotations

import pytest

from planner.memory import sglang, tensorrt_llm
from planner.memory.kv_cache import kv_cache
from planner.memory.loading import loading_extra
from planner.memory.situation import Situation
from planner.memory.weights import weight_bytes
from planner.schemes import scheme
from planner.units import GIB


def situation(shape, physical_gib: float, ranks: int = 1, engine: str = "sglang", **changes) -> Situation:
    bf16 = scheme("bf16")
    return Situation(
        shape=shape,
        scheme=bf16,
        weights=weight_bytes(shape, bf16, None, ranks) + loading_extra(shape, bf16, None, ranks, engine),
        kv=kv_cache(shape, "16-bit", ranks),
        physical_gib=physical_gib,
        context_tokens=4096,
        concurrency=1,
        tensor_parallel=ranks,
        **changes,
    )


def test_sglang_pool_is_its_fraction_of_free_memory_less_the_weights(shape_of):
    """QwQ-32B's shape at tensor parallelism 4 loads 15.54 GiB a GPU, as SGLang printed in March 2025."""
    told = situation(shape_of("qwen2.5-32b"), 21.6, 4, utilisation=0.80)
    assert told.weights.total / GIB == pytest.approx(15.54, abs=0.1)
    account = sglang.account(told)
    pool = account.available_gib - sum(term.predicted_gib for term in account.terms)
    assert pool == pytest.approx(0.80 * (21.6 - 0.47) - told.weights.total / GIB)


@pytest.mark.parametrize(
    ("physical_gib", "ranks", "version", "fraction"),
    [
        (22.76, 1, "0.4.2", 0.88),
        (24.0, 1, "0.5.5", 0.847),  # 512 + 2048 x 1.5 + 24 x 2 + 128 of 24576 MiB
        (24.0, 8, "0.5.5", 0.806),  # 512 + 2048 x 1.5 + 80 x 2 + 1024
        (80.0, 1, "0.5.5", 0.836),  # 512 + 8192 x 1.5 + 256 x 2 + 128 of 81920 MiB
        (79.19, 1, "0.4.9", 0.842),  # 8192 x 1.5 + 256 x 2 of 81091 MiB
    ],
)
def test_sglang_default_fraction_leaves_a_chunk_and_graphs(shape_of, physical_gib, ranks, version, fraction):
    told = situation(shape_of("llama-3.1-8b"), physical_gib, ranks, engine_version=version)
    assert sglang.static_fraction(told) == fraction


def test_tensorrt_llm_gives_the_pool_a_fraction_of_what_is_left(shape_of):
    """TensorRT-LLM 0.13 on an A100-40GB with Qwen1.5-7B: 21.89 GiB left free, 19.72 GiB of it for the pool."""
    told = situation(shape_of("llama-2-7b"), 39.39, engine="tensorrt-llm")
    account = tensorrt_llm.account(told)
    pool = account.available_gib - sum(term.predicted_gib for term in account.terms)
    left = 39.39 - told.weights.total / GIB - 3.1
    assert pool == pytest.approx(0.90 * left)
