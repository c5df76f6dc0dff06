"""Compact rows: the same shape as the plain config they abbreviate, and refusals for what they leave open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from model_files import LLAMA, LLAMA_PARAMETERS

from planner.errors import BadInput
from planner.models.catalogue import find
from planner.models.compact import shape_from_compact, shapes_from_jsonl


def row(name: str, **more: object) -> dict[str, object]:
    """A catalogue model's own numbers in the compact form, without its family."""
    model = find(name)
    assert model is not None
    shape = model.shape
    heads = shape.attention[0]
    return {
        "model_id": name,
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.layer_count,
        "num_attention_heads": heads.query_heads,
        "num_key_value_heads": heads.kv_heads,
        "head_dim": heads.head_dim,
        "vocab_size": shape.vocab_size,
        "tie_word_embeddings": shape.tied_embeddings,
        **more,
    }


MLA = {"q_lora_rank": 1536, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128}
MOE_V3 = {
    "num_experts": 256,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 2048,
    "n_shared_experts": 1,
    "shared_intermediate_size": 2048,
    "first_k_dense_replace": 3,
}
DELTA = {
    "type": "gated_delta_net",
    "layers": 36,
    "num_key_heads": 16,
    "num_value_heads": 32,
    "key_head_dim": 128,
    "value_head_dim": 128,
    "conv_kernel": 4,
}
MOE_NEXT = {
    "num_experts": 512,
    "num_experts_per_tok": 10,
    "moe_intermediate_size": 512,
    "shared_intermediate_size": 512,
    "moe_layer_freq": 1,
}
MAMBA = {"type": "mamba2", "d_inner": 4096, "d_state": 128, "n_heads": 64, "n_groups": 1, "conv_kernel": 4}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("llama-3.1-8b", {"intermediate_size": 14336}),
        ("llama-3.2-1b", {"intermediate_size": 8192}),
        ("qwen2.5-7b", {"intermediate_size": 18944, "attention_bias": "qkv"}),
        (
            "mixtral-8x7b",
            {
                "intermediate_size": 14336,
                "moe": {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 14336},
            },
        ),
        ("deepseek-v3", {"intermediate_size": 18432, "mla": MLA, "moe": MOE_V3, "mtp_layers": 1}),
        (
            "qwen3-next-80b-a3b",
            {
                "intermediate_size": 5120,
                "full_attention_layers": 12,
                "linear_attention": DELTA,
                "attn_output_gate": True,
                "moe": MOE_NEXT,
            },
        ),
        (
            "granite-4.0-h-micro",
            {"intermediate_size": 8192, "full_attention_layers": 4, "linear_attention": {**MAMBA, "layers": 36}},
        ),
        (
            "jamba-mini",
            {
                "intermediate_size": 14336,
                "full_attention_layers": 4,
                "linear_attention": {"type": "mamba1", "layers": 28, "d_inner": 8192, "d_state": 16, "dt_rank": 256},
                "moe": {
                    "num_experts": 16,
                    "num_experts_per_tok": 2,
                    "moe_intermediate_size": 14336,
                    "moe_layer_freq": 2,
                },
            },
        ),
        (
            "gpt-oss-20b",
            {
                "intermediate_size": 2880,
                "sliding_window": 128,
                "sliding_layers": 12,
                "full_attention_layers": 12,
                "attention_bias": "qkvo",
                "attention_sinks": True,
                "moe": {"num_experts": 32, "num_experts_per_tok": 4, "moe_intermediate_size": 2880},
            },
        ),
        ("opt-125m", {"intermediate_size": 3072, "mlp_type": "gelu2", "position_embeddings": 2050}),
        ("pythia-2.8b", {"intermediate_size": 10240, "mlp_type": "gelu2", "attention_bias": "qkvo"}),
    ],
)
def test_a_compact_row_is_the_model_it_abbreviates(name: str, more: dict[str, object]) -> None:
    model = find(name)
    assert model is not None

    shape = shape_from_compact(row(name, **more))

    assert shape.parameters == pytest.approx(model.shape.parameters, rel=1e-6)
    assert sum(layer.count for layer in shape.attention) == sum(layer.count for layer in model.shape.attention)
    assert [layer.state_elements for layer in shape.recurrent] == [r.state_elements for r in model.shape.recurrent]


def test_attention_and_mamba_side_by_side_in_every_layer() -> None:
    """Falcon-H1: every layer has both."""
    sizes = row("llama-3.1-8b", intermediate_size=4096, full_attention_layers=24)
    sizes |= {"hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 8, "num_key_value_heads": 2}
    shape = shape_from_compact({**sizes, "linear_attention": {**MAMBA, "layers": 24, "d_state": 256}})

    assert shape.family == "falcon_h1"
    assert [layer.count for layer in (*shape.attention, *shape.recurrent)] == [24, 24]


def test_a_plain_config_is_a_row_too() -> None:
    assert shape_from_compact({"model_id": "tiny", **LLAMA}).parameters == LLAMA_PARAMETERS


def test_a_vision_tower_given_as_a_number_is_counted() -> None:
    shape = shape_from_compact(row("llama-3.1-8b", intermediate_size=14336, vision_params_B=0.44))

    assert shape.parameters_by_component()["vision"] == 440_000_000


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"compress_ratios": "[0,4]"}, "compressed attention (compress_ratios) is not known to quantplan"),
        (
            {"linear_attention": {"type": "rwkv7", "layers": 2}},
            "linear attention of type rwkv7 is not known to quantplan",
        ),
    ],
)
def test_a_row_that_cannot_be_a_shape_is_refused(more: dict[str, object], what: str) -> None:
    with pytest.raises(BadInput) as refused:
        shape_from_compact(row("llama-3.1-8b", **{"intermediate_size": 14336, **more}), "rows.jsonl, line 3")

    assert refused.value.what == what


def test_a_file_of_rows_is_read_by_name_and_alias(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    good = row("llama-3.1-8b", intermediate_size=14336, aliases=["also-llama"])
    bad = {"model_id": "half-known", "hidden_size": None}
    path.write_text(f"{json.dumps(good)}\n\n{json.dumps(bad)}\n", encoding="utf-8")

    shapes, refused = shapes_from_jsonl(path)

    assert set(shapes) == {"llama-3.1-8b", "also-llama"}
    assert refused == {"half-known": "hidden_size is missing"}


def test_a_line_that_is_no_row_is_refused_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"model_id": "a", "hidden_size": null}\nnonsense\n', encoding="utf-8")

    with pytest.raises(BadInput) as refused:
        shapes_from_jsonl(path)

    assert str(refused.value) == (
        f"{path}, line 2: not a JSON object\nTo fix: write one model a line, as a JSON object"
    )
