"""How many requests vLLM reports for hybrid models, against its logs."""

from __future__ import annotations

import pytest

from planner.memory.kv_cache import CachedLayers, KvCache, StateLayers
from planner.memory.vllm_pages import Pages
from planner.units import GIB


def delta_net_state(heads: int, conv_channels: int) -> int:
    """One layer's state: heads x 128 x 128 in FP32, and three 16-bit columns of the convolution."""
    return heads * 128 * 128 * 4 + 3 * conv_channels * 2


# What each pool printed: GiB, maximum length, "Maximum concurrency", tokens.
QWEN3_8_27B_ON_TWO_GPUS = KvCache(
    (CachedLayers(16, 2 * 2 * 256 * 2),), (StateLayers(48, delta_net_state(24, 5120)),)
)  # vLLM 0.27.1, FP8
QWEN3_5_0_8B = KvCache((CachedLayers(6, 2 * 2 * 256 * 2),), (StateLayers(18, delta_net_state(16, 6144)),))  # vLLM 0.23
GEMMA_4_E2B = KvCache((CachedLayers(3, 2 * 512 * 2), CachedLayers(12, 2 * 256 * 2, window_tokens=512)))  # vLLM 0.21.0
LOGS = [
    (QWEN3_8_27B_ON_TWO_GPUS, 2048, 2.67, 16384, 4.62, 75_776),
    (QWEN3_5_0_8B, 2048, 3.063, 4096, 44.73, 183_202),
    (GEMMA_4_E2B, 2048, 9.92, 8192, 129.66, 1_062_157),
]


@pytest.mark.parametrize(("kv", "step_tokens", "pool_gib", "context", "concurrency", "tokens"), LOGS)
def test_tokens_and_concurrency_are_those_of_the_log(kv, step_tokens, pool_gib, context, concurrency, tokens):
    pages = Pages(kv, 16, step_tokens)
    reported = pages.tokens(pool_gib * GIB, context)
    assert reported == pytest.approx(tokens, rel=0.001)
    assert reported / context == pytest.approx(concurrency, rel=0.0015)


def test_a_recurrent_state_sets_the_size_of_the_attention_block():
    """ "Setting attention block size to 544 tokens to ensure that attention page size is >= mamba page size"."""
    pages = Pages(QWEN3_5_0_8B, 16, 2048)
    assert pages.page_bytes / QWEN3_5_0_8B.layers[0].layer_bytes_per_token == 544


def test_a_plain_model_fills_its_pool_with_blocks_of_16_tokens():
    pages = Pages(KvCache((CachedLayers(32, 4096),)), 16, 8192)
    assert pages.tokens(58.11 * GIB, 4096) == 476_032  # the log, rounded to 0.01 GiB, says 476016
    assert pages.sequence_bytes(17) == 32 * 131_072


def test_kinds_with_nearly_as_many_layers_share_one_group_size():
    """12 sliding and 10 full layers pad the full ones to 12 instead of making two groups of 10."""
    pages = Pages(KvCache((CachedLayers(10, 64), CachedLayers(12, 64, window_tokens=64))), 16, 16)
    assert pages.group_size == 12


def test_a_model_without_a_cache_takes_nothing():
    pages = Pages(KvCache(()), 16, 16)
    assert (pages.sequence_bytes(100), pages.tokens(1e9, 100)) == (0, 0)
