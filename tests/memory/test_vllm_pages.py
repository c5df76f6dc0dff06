"""How many requests vLLM reports for hybrid models, against its logs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.memory.constants import version_constants
from planner.memory.kv_cache import CachedLayers, KvCache, StateLayers
from planner.memory.vllm import laid_out, pages, server_limits
from planner.memory.vllm_pages import Pages
from planner.units import GIB
from tests.memory.test_server_defaults import situation


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
    (GEMMA_4_E2B, 2 * 2048, 4.66, 16384, 31.72, 519_681),  # vLLM of September 2026: two steps are under way at once
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


# Layers of small models of random weights, and the tokens vLLM 0.32 (CPU build: blocks of 128) printed for a pool of
# 100 MiB at a maximum length of 2048 with at most 2048 tokens a step.
PRINTED_ON_CPU = {
    "llama, 2 of 8 heads": ((CachedLayers(6, 2 * 2 * 32 * 2),), 68_224),
    "qwen2, no sharing": ((CachedLayers(5, 2 * 4 * 64 * 2),), 20_480),
    "qwen3, one head of 128": ((CachedLayers(5, 2 * 1 * 128 * 2),), 40_960),
    "mistral, all sliding": ((CachedLayers(4, 2 * 2 * 32 * 2, window_tokens=512),), 96_376),
    "gemma-2, every second sliding": (
        (CachedLayers(3, 2 * 2 * 64 * 2), CachedLayers(3, 2 * 2 * 64 * 2, window_tokens=512)),
        33_078,
    ),
    "gemma-3, five of six sliding": (
        (CachedLayers(2, 2 * 1 * 64 * 2), CachedLayers(10, 2 * 1 * 64 * 2, window_tokens=256)),
        32_443,
    ),
    "gpt-oss, every second sliding": (
        (CachedLayers(2, 2 * 2 * 64 * 2), CachedLayers(2, 2 * 2 * 64 * 2, window_tokens=128)),
        49_648,
    ),
    "mixtral": ((CachedLayers(4, 2 * 2 * 32 * 2),), 102_400),
    "qwen3-moe": ((CachedLayers(4, 2 * 2 * 64 * 2),), 51_200),
    "phi-3, opt, olmo-2": ((CachedLayers(4, 2 * 4 * 64 * 2),), 25_600),
}


@pytest.mark.parametrize("model", PRINTED_ON_CPU)
def test_tokens_are_to_the_last_one_those_that_vllm_printed_on_a_cpu(model):
    layers, printed = PRINTED_ON_CPU[model]
    assert Pages(KvCache(layers), 128, 2048).tokens(100 * 2**20, 2048) == printed


def test_mla_tokens_on_a_cpu():
    """DeepSeek-V2's attention has blocks of 16 there: four layers of 576 elements, 22752 tokens in 100 MiB."""
    assert Pages(KvCache((CachedLayers(4, 576 * 2),)), 16, 2048).tokens(100 * 2**20, 2048) == 22_752


ATTENTION = (CachedLayers(2, 256),)
MAMBA_2 = KvCache(ATTENTION, (StateLayers(4, 69_376, "mamba2"),))
DELTA_NET = KvCache(ATTENTION, (StateLayers(4, 69_376, "gated_delta_net"),))
NO_ATTENTION = KvCache((), (StateLayers(4, 69_376, "mamba2"),))


@pytest.mark.parametrize(
    ("kv", "version", "prefix_caching", "states"),
    [
        (MAMBA_2, "0.32.0", None, 3),
        (DELTA_NET, "0.32.0", None, 2),
        (NO_ATTENTION, "0.32.0", None, 1),
        (MAMBA_2, "0.32.0", False, 1),
        (MAMBA_2, "0.22.1", None, 1),
        (MAMBA_2, "0.22.1", True, 2),
    ],
)
def test_states_a_request_keeps_by_version_and_kind(kv, version, prefix_caching, states):
    """vLLM 0.32 caches prefixes of hybrids by default; its Mamba-2 layers write a checkpoint during the prefill."""
    pages = laid_out(kv, 128, 2048, version_constants("vllm", version), prefix_caching=prefix_caching)
    groups = 4 // pages.group_size
    assert pages.state_blocks == states * groups


def test_a_chunked_layer_takes_no_spare_block():
    """Llama 4 with chunks of 512: vLLM 0.32 on a CPU printed 51200 tokens for 100 MiB at a length of 2048."""
    layers = (CachedLayers(2, 2 * 2 * 32 * 2), CachedLayers(6, 2 * 2 * 32 * 2, window_tokens=512, is_chunked=True))
    assert Pages(KvCache(layers), 128, 2048).tokens(100 * 2**20, 2048) == 51_200
    assert Pages(KvCache(layers), 16, 256).layer_blocks(layers[1], 4096) == (512 + 256) // 16


def test_tokens_are_whole_requests_where_blocks_are_not_counted():
    """A Llama at a length of 3000, 24 blocks of 128: vLLM 0.32 on a CPU printed 222000 tokens for 333 MiB."""
    kv = KvCache((CachedLayers(6, 2 * 2 * 32 * 2),))
    assert Pages(kv, 128, 2048).tokens(333 * 2**20, 3000) == 222_000
    assert Pages(kv, 128, 2048, counts_blocks=True).tokens(333 * 2**20, 3000) == 227_328


@pytest.mark.parametrize(("version", "steps"), [("0.22", 1), ("0.29", 2), ("0.32", 2)])
def test_a_window_keeps_every_step_that_is_under_way(version, steps):
    started = replace(situation("gemma-4-e2b", "T4"), engine_version=version, batched_tokens=2048)
    constants = version_constants("vllm", version)
    assert pages(started, server_limits(started, constants), constants).step_tokens == steps * 2048


def test_layers_that_all_keep_the_whole_context_are_one_group():
    """Of vLLM 0.32's own specs for MiniMax M3 and Hunyuan 4 (UniformTypeKVCacheSpecs.page_size_bytes, 128 tokens)."""
    minimax_m3 = Pages(KvCache((CachedLayers(3, 2048), CachedLayers(57, 2048 + 256))), 128, 8192)
    hunyuan_4 = Pages(KvCache((CachedLayers(21, 1152 + 132), CachedLayers(57, 1152))), 128, 8192)
    assert (minimax_m3.block_bytes, hunyuan_4.block_bytes) == (17_596_416, 11_856_384)
    assert minimax_m3.request_blocks(129) == 2
    assert minimax_m3.tokens(10 * 17_596_416, 128) == 1280
