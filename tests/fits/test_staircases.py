"""Staircases give the bytes and the longest contexts of the layouts they stand for, windows and states included."""

import numpy as np
import pytest

from planner.fits.staircases import longest_contexts, staircases
from planner.memory.kv_cache import kv_cache
from planner.memory.room import longest_context
from planner.memory.situation import Layout, PlainLayout
from planner.memory.vllm_pages import Pages
from planner.models.catalogue import find

NAMES = ["llama-3.1-8b", "gemma-2-9b", "gemma-3-27b", "gpt-oss-20b", "llama-4-scout", "mistral-7b-v0.1", "jamba-mini",
         "qwen3-next-80b-a3b", "granite-4.0-h-tiny", "falcon-mamba-7b", "deepseek-v2-lite", "bge-m3"]  # fmt: skip
CONTEXTS = [1, 15, 16, 17, 511, 1024, 4095, 4096, 4097, 12_289, 100_000]
POOLS = [-1.0, 0.0, 1e6, 123_456_789.0, 3.3e9, 5.5e11]


def layouts() -> list[tuple[str, Layout, int]]:
    found: list[tuple[str, Layout, int]] = []
    for name in NAMES:
        model = find(name)
        assert model is not None
        kv, longest = kv_cache(model.shape, "16-bit", 2), model.shape.max_context_tokens
        found += [
            (f"{name} in vLLM", Pages(kv, 16, 2048), longest),
            (f"{name} in vLLM 0.32", Pages(kv, 128, 2048, 2, checkpointed_kinds=("mamba2",)), longest),
            (f"{name} in SGLang", PlainLayout(kv), longest),
            (f"{name} in llama.cpp", PlainLayout(kv, 256, 512), longest),
        ]
    return found


@pytest.mark.parametrize("context", CONTEXTS)
def test_bytes_of_a_sequence(context: int) -> None:
    cases = layouts()
    bytes = staircases([layout for _, layout, _ in cases]).bytes(np.full(len(cases), context))
    for (name, layout, _), found in zip(cases, bytes, strict=True):
        assert found == pytest.approx(layout.sequence_bytes(context), rel=1e-12), name


@pytest.mark.parametrize("pool", POOLS)
def test_longest_contexts(pool: float) -> None:
    cases = layouts()
    maxima = np.array([longest for _, _, longest in cases], dtype=np.int64)
    found = longest_contexts(staircases([layout for _, layout, _ in cases]), np.full(len(cases), pool), maxima)
    for (name, layout, longest), tokens in zip(cases, found, strict=True):
        assert tokens == longest_context(layout.sequence_bytes, pool, longest), name


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(TypeError, match="no staircase for str"):
        staircases(["pages"])  # type: ignore[list-item]
