"""Kimi K3, Hunyuan 4 and MiniMax M3: parameters as published, caches as the specs of vLLM 0.32 say."""

from __future__ import annotations

from typing import Any

import pytest

from planner.errors import BadInput
from planner.memory.kv_cache import kv_cache
from planner.memory.weights import weight_bytes
from planner.models.catalogue import entries, find
from planner.models.families import shape_from_config
from planner.models.shape import Shape
from planner.schemes import scheme

CONFIGS: dict[str, Any] = {entry.name: entry.config for entry in entries()}


def shape_of(name: str) -> Shape:
    model = find(name)
    assert model is not None
    return model.shape


def test_hunyuan_4_has_its_published_770_billion_of_which_49_are_active() -> None:
    shape = shape_of("hunyuan-4-preview")

    assert shape.params_b == pytest.approx(770, abs=0.5)
    assert shape.active_parameters / 1e9 == pytest.approx(49, abs=0.5)


def test_minimax_m3_takes_the_855_gb_its_16_bit_files_are_said_to_take() -> None:
    assert shape_of("minimax-m3").parameters * 2 / 1e9 == pytest.approx(855, rel=0.002)


def test_kimi_k3_has_its_published_size_most_of_it_in_82432_experts() -> None:
    shape = shape_of("kimi-k3")
    experts = [matrix for matrix in shape.matrices if matrix.role.startswith("expert_")]

    assert shape.params_b == pytest.approx(2800, rel=0.01)
    assert {matrix.copies for matrix in experts} == {82_432}
    one_expert_mb = sum(matrix.rows * matrix.columns for matrix in experts) * 4.25 / 8 / 1e6  # E2M1, E8M0 per 32
    assert one_expert_mb == pytest.approx(17.55, abs=0.01)


def test_the_tower_of_kimi_k3_has_the_parameters_of_vllms() -> None:
    """MoonViT3dPretrainedModel and KimiK25MultiModalProjector of vLLM 0.32, built on the meta device."""
    assert shape_of("kimi-k3").parameters_by_component()["vision"] == 447_358_976


def test_a_published_slice_of_kimi_k3_has_18_billion() -> None:
    """Its first four layers with 128 of 896 experts, the vision tower unchanged (eatang/Kimi-K3-4layer)."""
    config = CONFIGS["kimi-k3"]
    own = config["text_config"]
    linear = {**own["linear_attn_config"], "kda_layers": [1, 2, 3], "full_attn_layers": [4]}
    text = {**own, "num_hidden_layers": 4, "num_experts": 128, "attn_res_block_size": 2, "linear_attn_config": linear}

    assert shape_from_config({**config, "text_config": text}).params_b == pytest.approx(18, abs=0.5)


@pytest.mark.parametrize(
    ("name", "kv_format", "bytes_per_token"),
    [
        ("minimax-m3", "16-bit", 137_472),
        ("hunyuan-4-preview", "16-bit", 92_628),
        ("hunyuan-4-preview", "fp8", 78 * 656 + 21 * 132),
        ("kimi-k3", "16-bit", 24 * 1152),
    ],
)
def test_a_token_takes_what_the_specs_of_vllm_say(name: str, kv_format: str, bytes_per_token: int) -> None:
    assert kv_cache(shape_of(name), kv_format).bytes_per_token == bytes_per_token


def test_the_keys_of_an_indexer_stay_in_16_bits_beside_an_fp8_cache() -> None:
    assert kv_cache(shape_of("minimax-m3"), "fp8").bytes_per_token == 60 * 1024 + 57 * 256


def test_the_state_of_kimi_k3_is_that_of_vllm() -> None:
    """MambaStateShapeCalculator.kda_state_shape: (3, 36864) in 16 bits and (96, 128, 128) in FP32."""
    (state,) = kv_cache(shape_of("kimi-k3"), "16-bit").states

    assert (state.count, state.layer_bytes) == (69, 3 * 36_864 * 2 + 96 * 128 * 128 * 4)


def test_only_a_bounded_gate_lets_vllm_keep_a_checkpoint_of_the_state() -> None:
    kinds = [shape_of(name).recurrent[0].kind for name in ("kimi-k3", "kimi-linear-48b-a3b")]

    assert kinds == ["bounded_kda", "kda"]


def test_hunyuan_4_may_list_which_layers_have_an_indexer() -> None:
    listed = ["full"] * 2 + ["shared"] * 76
    shape = shape_from_config({**CONFIGS["hunyuan-4-preview"], "indexer_types": listed})

    assert [layers.count for layers in shape.attention] == [2, 76]


def test_minimax_m3_must_say_which_layers_are_sparse() -> None:
    config = CONFIGS["minimax-m3"]
    text = {key: value for key, value in config["text_config"].items() if key != "moe_layer_freq"}
    with pytest.raises(BadInput) as refused:
        shape_from_config({**config, "text_config": text})

    assert str(refused.value).startswith("config.json: text_config: mlp_layer_types is missing")


def test_kimi_k3_takes_the_1_56_tb_of_its_checkpoint_with_only_routed_experts_in_4_bits() -> None:
    weights = weight_bytes(shape_of("kimi-k3"), scheme("mxfp4"))

    assert weights.total / 1e12 == pytest.approx(1.56, abs=0.005)


@pytest.mark.parametrize("name", ["kimi-k3", "hunyuan-4-preview", "minimax-m3"])
def test_a_plan_says_which_engine_the_cache_was_read_from(name: str) -> None:
    assert shape_of(name).notes == (
        "its cache is that of vLLM 0.32; whether older versions serve this family is not known",
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("deepseek_v4", "of its compressed caches only their sizes are known here, not how they share pages"),
        (
            "qwen4_exp_text",
            "of its compressed caches only their sizes are known here, not how they share pages,"
            " and its n-gram embeddings are not counted",
        ),
    ],
)
def test_what_is_not_fully_known_is_refused_by_name_and_says_why(name: str, why: str) -> None:
    with pytest.raises(BadInput) as refused:
        shape_from_config({"model_type": name})

    assert str(refused.value).splitlines()[0] == f"config.json: model family {name} is not known to quantplan: {why}"
