"""Bytes a token leaves in the cache, against start-up logs and model cards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.memory.kv_cache import kv_cache
from planner.memory.starts import kv_format_named
from planner.models.catalogue import find
from planner.models.families import shape_from_config
from planner.models.shape import AttentionLayers, RecurrentLayers, Shape
from planner.units import GIB, MIB

# (model, ranks, KV GiB, tokens) as engines printed them.
LOGGED_POOLS = [
    ("llama-3.1-8b", 1, 58.11, 476_016),  # vLLM 0.19.0, H100
    ("qwen2-7b", 1, 58.53, 1_096_000),  # vLLM 0.19.0, H100 (same shape as Qwen2.5-7B)
    ("llama-3.1-70b", 4, 106.17, 1_391_552),  # vLLM 0.11, H200
    ("qwen3-32b", 4, 33.83, 553_984),  # vLLM 2026
]


@pytest.mark.parametrize(("model", "ranks", "pool_gib", "tokens"), LOGGED_POOLS)
def test_bytes_per_token_are_pool_over_tokens_of_the_logs(shape_of, model, ranks, pool_gib, tokens):
    kv = kv_cache(shape_of(model), "16-bit", ranks)
    assert kv.bytes_per_token == pytest.approx(pool_gib * GIB / tokens, rel=0.001)


def test_fp8_halves_the_cache(shape_of):
    shape = shape_of("llama-3.1-8b")
    assert kv_cache(shape, "fp8").bytes_per_token == kv_cache(shape, "16-bit").bytes_per_token / 2 == 65_536


def test_q8_0_takes_34_bytes_for_32_elements(shape_of):
    """llama-server printed 85.00 MiB for 16384 cells of this model."""
    assert kv_cache(shape_of("random-45m"), "int8").sequence_bytes(16384) == 85 * MIB


def test_heads_are_replicated_where_there_are_fewer_than_ranks(shape_of):
    shape = shape_of("llama-3.1-8b")
    assert kv_cache(shape, "16-bit", 16).bytes_per_token == kv_cache(shape, "16-bit", 8).bytes_per_token


def test_mla_caches_one_latent_a_token_on_every_rank():
    """DeepSeek-V3: 61 layers x (512 + 64) x 2 bytes = 70272, as vLLM 0.11 printed at tensor parallelism 8."""
    shape = _shape(attention=(AttentionLayers(61, 128, 1, 192, 128, "mla", latent_dim=512, rope_dim=64),))
    assert kv_cache(shape, "16-bit", 8).bytes_per_token == 70_272
    printed = 41.60 * GIB / 635_648
    assert printed == pytest.approx(70_272, rel=0.0005)


def test_a_sliding_layer_remembers_its_window_and_the_step_being_written():
    """gpt-oss-120b under llama.cpp: 131072 cells x 18 layers = 4608 MiB, and 1280 cells x 18 layers = 45 MiB."""
    full = AttentionLayers(18, 64, 8, 64, 64)
    sliding = AttentionLayers(18, 64, 8, 64, 64, "sliding", window_tokens=128)
    kv = kv_cache(_shape(attention=(full, sliding)), "16-bit", 1, "llama.cpp")
    assert kv.layers[0].bytes_for(131_072, 256, 1024) == 4608 * MIB
    assert kv.layers[1].bytes_for(131_072, 256, 1024) == 45 * MIB


def test_recurrent_layers_hold_a_fixed_state():
    """Qwen3.5-9B under llama.cpp, four sequences: R 9.00 MiB and S 192.00 MiB."""
    layers = RecurrentLayers(24, "gated_delta_net", 32 * 128 * 128, 3 * 8192)
    kv = kv_cache(_shape(recurrent=(layers,)), "16-bit", 1, "llama.cpp")
    assert 4 * kv.state_bytes == 201 * MIB
    assert kv.sequence_bytes(1) == kv.sequence_bytes(100_000)


def test_a_layer_that_reads_anothers_cache_adds_nothing():
    shared = AttentionLayers(20, 8, 2, 256, 256, owns_kv=False)
    own = AttentionLayers(15, 8, 2, 256, 256)
    assert kv_cache(_shape(attention=(own, shared)), "16-bit").bytes_per_token == 15 * 2 * 2 * 256 * 2


def _shape(**layers: object) -> Shape:
    return Shape("x", 1024, 32000, 61, 131072, False, (), **layers)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("family", "engine", "bytes"),
    [("qwen3_next", "vllm", 2), ("qwen3_next", "sglang", 4), ("qwen3_5", "vllm", 4), ("nemotron_h", "vllm", 4)],
)
def test_the_type_of_a_state_is_the_engines_choice_for_the_family(family, engine, bytes):
    """vLLM keeps Qwen3-Next's states in the model's type; Qwen3.5's configs say FP32, Nemotron-H's are FP32."""
    kind = "mamba2" if family == "nemotron_h" else "gated_delta_net"
    shape = replace(_shape(recurrent=(RecurrentLayers(1, kind, 1000, 30),)), family=family)
    assert kv_cache(shape, "16-bit", 1, engine).states[0].layer_bytes == 1000 * bytes + 30 * 2


def test_a_mamba_2_state_has_the_models_type():
    """vLLM 0.32 made attention blocks of 256 x 512 bytes hold this state: 69,376 bytes, not 134,912."""
    layers = RecurrentLayers(4, "mamba2", 8 * 64 * 64, 3 * (512 + 2 * 64))
    kv = kv_cache(_shape(recurrent=(layers,)), "16-bit")
    assert kv.states[0].layer_bytes == 69_376


def test_whisper_keeps_its_thirty_seconds_of_sound_whatever_is_said_of_them():
    """large-v3: 32 layers x 2 x 1280 x 2 bytes are 160 KiB a token, and 1,500 frames of it (openai/whisper)."""
    config = {
        "model_type": "whisper", "d_model": 1280, "encoder_layers": 32, "decoder_layers": 32, "encoder_ffn_dim": 5120,
        "encoder_attention_heads": 20, "decoder_attention_heads": 20, "decoder_ffn_dim": 5120, "vocab_size": 51_866,
        "num_mel_bins": 128, "max_target_positions": 448,
    }  # fmt: skip
    cache = kv_cache(shape_from_config(config), "16-bit")

    assert cache.bytes_per_token == 160 * 1024
    assert cache.sequence_bytes(1) - cache.bytes_per_token == 1500 * 160 * 1024


def test_the_shared_blocks_of_zamba2_keep_a_cache_for_every_call():
    """Zamba2-2.7B calls its two blocks nine times, each with 32 heads of 160 (Zyphra/Zamba2-2.7B config.json)."""
    config = {"model_type": "zamba2", "hidden_size": 2560, "num_hidden_layers": 54, "num_attention_heads": 32,
              "n_mamba_heads": 80, "mamba_d_state": 64, "vocab_size": 32_000, "num_mem_blocks": 2}  # fmt: skip

    assert kv_cache(shape_from_config(config), "16-bit").bytes_per_token == 9 * 2 * 32 * 160 * 2


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("", "16-bit"),
        ("auto (bf16)", "16-bit"),
        ("fp8_e4m3", "fp8"),
        ("fp8_ds_mla", "fp8_ds_mla"),
        ("int8_per_token_head", "per_token_head"),
        ("q8_0/q4_0", "int8/q4_0"),
        ("K f16, V q8_0", "16-bit/int8"),
        ("turboquant_k8v4", None),
    ],
)
def test_a_caches_type_is_read_from_what_logs_call_it(dtype, expected):
    assert kv_format_named(dtype) == expected


def test_latents_of_sparse_attention_are_packed_with_their_scales():
    """vLLM: 512 bytes of FP8, four FP32 scales and 64 rotary values in 16 bits, and 132 bytes for the indexer."""
    shape = find("deepseek-v3.2").shape
    assert kv_cache(shape, "fp8", 8, "vllm").bytes_per_token == 61 * (656 + 132)
    assert kv_cache(shape, "fp8", 8, "sglang").bytes_per_token == 61 * (576 + 132)
    assert kv_cache(find("deepseek-v3").shape, "fp8", 8, "vllm").bytes_per_token == 61 * 576


def test_keys_and_values_may_be_stored_apart(shape_of):
    shape = shape_of("llama-3.1-8b")
    assert kv_cache(shape, "int8/q4_0").bytes_per_token == 32 * 8 * 128 * (1.0625 + 0.5625)


def test_a_scale_for_every_head_and_token_counts(shape_of):
    assert kv_cache(shape_of("llama-3.1-8b"), "per_token_head").bytes_per_token == 32 * 8 * (2 * 128 + 2 * 4)
