"""Family functions against the reference implementations, tensor by tensor in sum, and their caches against papers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from model_files import LLAMA

from planner.models.catalogue import entries, find
from planner.models.config import Config
from planner.models.families import FAMILIES, family_named, shape_from_config
from planner.models.shape import AttentionLayers, Shape

REFERENCE = json.loads((Path(__file__).parent / "reference_counts.json").read_text(encoding="utf-8"))
PUBLISHED = [
    json.loads(line) for line in (Path(__file__).parent / "published.jsonl").read_text(encoding="utf-8").splitlines()
]
CONFIGS = {entry.name: entry.config for entry in entries()}


def shape_of(name: str) -> Shape:
    model = find(name)
    assert model is not None
    return model.shape


@pytest.mark.parametrize("name", REFERENCE["catalogue"])
def test_a_catalogue_model_has_exactly_the_parameters_of_its_reference_implementation(name: str) -> None:
    assert shape_from_config(CONFIGS[name]).parameters == REFERENCE["catalogue"][name]


@pytest.mark.parametrize("case", REFERENCE["variants"], ids=lambda case: case["config"]["model_type"])
def test_a_variant_has_exactly_the_parameters_of_its_reference_implementation(case: dict[str, object]) -> None:
    config = case["config"]
    assert isinstance(config, dict)

    assert shape_from_config(config).parameters == case["parameters"]


@pytest.mark.parametrize("case", PUBLISHED, ids=lambda case: case["model"])
def test_a_family_has_the_parameters_its_model_card_publishes(case: dict[str, Any]) -> None:
    shape = shape_from_config(case["config"])

    assert shape.params_b == pytest.approx(case["parameters_b"], rel=case["tolerance"])


def model_types(config: object) -> set[str]:
    """The families a config names, those of its sections too."""
    if not isinstance(config, dict):
        return set()
    nested = [model_types(value) for value in config.values()]
    return set().union({str(config["model_type"])} if "model_type" in config else set(), *nested)


def test_every_family_is_measured_against_a_reference_or_a_model_card() -> None:
    measured = {str(CONFIGS[name]["model_type"]) for name in REFERENCE["catalogue"]}
    measured |= {name for case in [*REFERENCE["variants"], *PUBLISHED] for name in model_types(case["config"])}
    weighed = {str(entry.config["model_type"]) for entry in entries() if entry.params_b_published}

    assert set(FAMILIES) - measured - weighed == set()


@pytest.mark.parametrize("name", FAMILIES)
def test_every_line_of_the_registry_leads_to_a_function(name: str) -> None:
    assert callable(family_named(Config({"model_type": name}, "config.json")))


def kv_elements_per_token(layers: tuple[AttentionLayers, ...]) -> int:
    """Keys and values (or the MLA latent) a token leaves in all layers."""
    return sum(
        layer.count * (layer.latent_dim + layer.rope_dim or layer.kv_heads * (layer.head_dim + layer.value_head_dim))
        for layer in layers
        if layer.owns_kv
    )


@pytest.mark.parametrize(
    ("name", "kib_per_token"),
    [
        ("llama-2-7b", 512.0),  # 0.5 MiB: Llama 2, multi-head
        ("llama-3.1-8b", 128.0),
        ("llama-3.1-70b", 320.0),
        ("llama-3.1-405b", 504.0),  # DeepSeek-V3 insights paper (arXiv:2505.09343), table 1: 516 kB
        ("qwen2.5-72b", 320.0),  # the same table: 327.680 kB
        ("deepseek-v3", 68.625),  # the same table: 70.272 kB
        ("mistral-7b", 128.0),
        ("gemma-2-9b", 336.0),
        ("qwen3-next-80b-a3b", 24.0),
        ("granite-4.0-h-micro", 8.0),
    ],
)
def test_a_token_leaves_the_published_bytes_in_a_16_bit_cache(name: str, kib_per_token: float) -> None:
    assert 2 * kv_elements_per_token(shape_of(name).attention) / 1024 == kib_per_token


@pytest.mark.parametrize(
    ("name", "full", "sliding", "window"),
    [
        ("mistral-7b-v0.1", 0, 32, 4096),
        ("mistral-7b", 32, 0, None),
        ("gemma-2-27b", 23, 23, 4096),
        ("gemma-3-27b", 10, 52, 1024),
        ("gemma-3-1b", 4, 22, 512),
        ("gpt-oss-120b", 18, 18, 128),
        ("command-a", 16, 48, 4096),
        ("olmo-3-7b", 8, 24, 4096),
        ("qwen2.5-7b", 28, 0, None),
        ("phi-3-mini-128k", 32, 0, None),
        ("mistral-small-3.1-24b", 40, 0, None),
        ("pixtral-12b", 40, 0, None),
        ("llava-1.6-mistral-7b", 32, 0, None),
    ],
)
def test_sliding_layers_are_counted(name: str, full: int, sliding: int, window: int | None) -> None:
    layers = {layer.kind: layer for layer in shape_of(name).attention}

    assert (layers["full"].count if "full" in layers else 0) == full
    assert (layers["sliding"].count if "sliding" in layers else 0) == sliding
    assert window is None or layers["sliding"].window_tokens == window


@pytest.mark.parametrize(
    ("name", "attention", "recurrent"),
    [
        ("qwen3-next-80b-a3b", 12, 36),
        ("jamba-mini", 4, 28),
        ("granite-4.0-h-small", 4, 36),
        ("nemotron-nano-9b-v2", 4, 27),
        ("nemotron-3-nano-30b-a3b", 6, 23),
        ("kimi-linear-48b-a3b", 7, 20),
        ("mamba-2.8b", 0, 64),
        ("lfm2-1.2b", 6, 10),
        ("llama-3.1-8b", 32, 0),
    ],
)
def test_layers_with_a_fixed_state_are_counted(name: str, attention: int, recurrent: int) -> None:
    shape = shape_of(name)

    assert sum(layer.count for layer in shape.attention) == attention
    assert sum(layer.count for layer in shape.recurrent) == recurrent


def test_the_state_of_a_delta_net_layer() -> None:
    """Qwen3-Next: 32 value heads of a 128 x 128 matrix; a convolution over 8,192 channels and 4 tokens."""
    (state,) = shape_of("qwen3-next-80b-a3b").recurrent

    assert (state.kind, state.state_elements, state.conv_elements) == ("gated_delta_net", 32 * 128 * 128, 8192 * 3)


def test_layers_that_read_another_layers_cache_own_none() -> None:
    shape = shape_of("gemma-4-e2b")

    assert sum(layer.count for layer in shape.attention if layer.owns_kv) == 15
    assert sum(layer.count for layer in shape.attention if not layer.owns_kv) == 20


def test_an_encoder_keeps_no_cache_and_has_no_head() -> None:
    shape = shape_of("bge-large-en-v1.5")

    assert shape.is_encoder
    assert not any(layers.owns_kv for layers in shape.attention)
    assert "head" not in shape.parameters_by_component()


def test_latent_attention_keeps_its_ranks() -> None:
    (layer,) = shape_of("deepseek-v3").attention

    assert (layer.kind, layer.latent_dim, layer.rope_dim, layer.head_dim, layer.value_head_dim) == (
        "mla",
        512,
        64,
        192,
        128,
    )
    assert shape_of("deepseek-v3.2").attention[0].indexer_bytes_per_token == 132


def test_what_weight_only_schemes_quantize() -> None:
    """Linear layers of the decoder; embeddings, head, norms, routers and vision towers stay in 16 bits."""
    for name in ("mixtral-8x7b", "qwen2.5-vl-7b", "deepseek-v3", "gpt-oss-20b"):
        quantized = {matrix.component for matrix in shape_of(name).quantizable()}
        assert quantized <= {"attention", "mlp", "experts", "recurrent"}
        assert {"embedding", "router", "norms", "vision", "head"}.isdisjoint(quantized)


def test_a_tied_head_is_counted_once() -> None:
    untied = shape_from_config(LLAMA)
    tied = shape_from_config({**LLAMA, "tie_word_embeddings": True})

    assert untied.parameters - tied.parameters == 256 * 64


def test_a_window_as_long_as_the_context_is_none() -> None:
    shape = shape_from_config({**LLAMA, "sliding_window": 512})

    assert [layer.kind for layer in shape.attention] == ["full"]


def test_a_vision_tower_is_counted_apart() -> None:
    """Qwen2.5-VL-7B: a tower of 677 million parameters beside the 7.6 billion of its decoder (its technical report)."""
    parts = shape_of("qwen2.5-vl-7b").parameters_by_component()

    assert parts["vision"] / 1e6 == pytest.approx(677, rel=0.01)


def test_predicted_tokens_are_said_to_be_left_out() -> None:
    assert shape_of("deepseek-v3").notes == (
        "1 multi-token-prediction layer(s) are not counted: engines leave them out by default",
    )


def test_a_nested_section_may_leave_out_what_its_class_says() -> None:
    """LLaVA 1.5 7B's config.json names the decoder's vocabulary and context alone."""
    config = {
        "model_type": "llava",
        "text_config": {"model_type": "llama", "vocab_size": 32064, "max_position_embeddings": 4096},
        "vision_config": {"model_type": "clip_vision_model"},
    }

    assert shape_from_config(config).parameters == shape_of("llava-1.5-7b").parameters
