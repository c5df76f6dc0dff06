"""SGLang's pools where layers differ, against its logs."""

from __future__ import annotations

import pytest

from planner.memory import sglang
from planner.memory.kv_cache import kv_cache
from planner.memory.situation import Situation
from planner.memory.weights import NOTHING
from planner.models.catalogue import find
from planner.models.shape import Shape
from planner.schemes import scheme
from planner.units import GIB


def shape_named(name: str) -> Shape:
    model = find(name)
    assert model is not None
    return model.shape


def test_sliding_layers_have_a_pool_of_four_fifths_of_the_tokens_and_sharing_layers_their_own() -> None:
    """Gemma 4 E4B: 79.94 GiB hold 997,846 tokens of the full pool (and 798,276 of the sliding one)."""
    shape = shape_named("gemma-4-e4b")
    pool = sglang.pools(kv_cache(shape, "16-bit", engine="sglang"), shape)
    assert 79.94 * GIB / pool.bytes_per_token == pytest.approx(997_846, rel=1e-3)


def test_a_family_whose_windows_sglang_does_not_know_keeps_whole_contexts() -> None:
    shape = shape_named("gemma-2-9b")
    pool = sglang.pools(kv_cache(shape, "16-bit", engine="sglang"), shape)
    assert pool.is_proportional
    assert pool.bytes_per_token == 344_064


def test_recurrent_states_take_their_share_of_the_pool() -> None:
    """LFM2's log: 4.88 GB of convolution states beside 5.42 GB of keys and values."""
    shape = shape_named("lfm2-1.2b")
    start = Situation(
        shape=shape, scheme=scheme("bf16"), weights=NOTHING, kv=kv_cache(shape, "16-bit", engine="sglang"),
        physical_gib=10.3 + 0.47, context_tokens=4096, concurrency=1, utilisation=1.0, is_offloaded=True,
    )  # fmt: skip
    account = sglang.account(start)
    states = next(term.predicted_gib for term in account.terms if term.label == sglang.RECURRENT_STATES)
    assert states == pytest.approx(4.88, abs=0.01)
    assert account.available_gib - sum(term.predicted_gib for term in account.terms) == pytest.approx(5.42, abs=0.01)


def test_memory_free_at_start_is_taken_where_it_is_known() -> None:
    """Qwen3-0.6B on a 4 GB GPU, SGLang of May 2025: 3.23 GiB free before loading, 1.2 of weights, 1.64 of cache."""
    shape = shape_named("qwen3-0.6b")
    start = Situation(
        shape=shape, scheme=scheme("bf16"), weights=NOTHING, kv=kv_cache(shape, "16-bit", engine="sglang"),
        physical_gib=3.92, context_tokens=4096, concurrency=1, engine_version="0.4.6", free_gib=3.23,
        is_offloaded=True,
    )  # fmt: skip
    account = sglang.account(start)
    left = account.available_gib - sum(term.predicted_gib for term in account.terms)
    assert left - 1.2 == pytest.approx(1.64, abs=0.01)
