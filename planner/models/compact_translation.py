"""Compact rows under config.json's names: the family their features point at, and every key it needs."""

from __future__ import annotations

from planner.errors import BadInput
from planner.models.config import Config

HEADS_OF_MAMBA = {
    "n_heads": ("mamba_n_heads", "mamba_num_heads"),
    "d_state": ("mamba_d_state", "ssm_state_size"),
    "n_groups": ("mamba_n_groups", "n_groups"),
    "conv_kernel": ("mamba_d_conv", "conv_kernel"),
}


def translate(row: Config) -> dict[str, object]:
    """The row with config.json's keys, under the family its features point at."""
    plain = {key: value for key, value in row.values.items() if not isinstance(value, dict)}
    plain.pop("attention_bias", None)
    return {
        **plain,
        **_experts(row.section("moe"), row),
        **row.section("mla").values,
        **_linear_attention(row.section("linear_attention"), row),
        **_layer_types(row),
        **_family(row),
    }


def _family(row: Config) -> dict[str, object]:
    """The family whose function fits the features, and the switches it needs."""
    bias = row.text("attention_bias", "")
    for feature, family in (
        ("attention_chunk_size", "llama4_text"),
        ("attention_sinks", "gpt_oss"),
        ("global_head_dim", "gemma4_text"),
        ("cross_attention_layers", "mllama"),
    ):
        if row.has(feature):
            return {"model_type": family, **_gemma4(row)}
    if row.has("mla"):
        sparse = "deepseek_v32" if row.has("index_n_heads") else "deepseek_v3"
        return {"model_type": "kimi_linear" if row.has("linear_attention") else sparse}
    if row.has("linear_attention"):
        return {"model_type": _hybrid(row)}
    if row.has("moe"):
        return _sparse(row, bias)
    return _dense(row, bias)


def _hybrid(row: Config) -> str:
    """The family of a model with recurrent layers, by their type and by what stands beside them."""
    linear, moe = row.section("linear_attention"), row.section("moe")
    kind, recurrent = linear.text("type"), linear.integer("layers")
    full = row.integer("full_attention_layers", default=0, least=0)
    if kind == "gated_delta_net":
        return "qwen3_next" if moe.values else "qwen3_5_text"
    if kind == "mamba2" and (row.has("mlp_layers") or moe.has("moe_layers")):
        return "nemotron_h"
    if kind == "mamba2" and recurrent + full > row.integer("num_hidden_layers"):
        return "falcon_h1"
    if kind == "mamba2":
        return "granitemoehybrid" if row.has("intermediate_size") else "mamba2"
    if kind in ("mamba", "mamba1") and (moe.values or not full):
        return "jamba" if moe.values else "falcon_mamba"
    raise BadInput(f"linear attention of type {kind} is not known to quantplan", where=row.where)


def _sparse(row: Config, bias: str) -> dict[str, object]:
    moe = row.section("moe")
    if bias == "qkv" and moe.integer("shared_intermediate_size", default=0, least=0):
        return {"model_type": "qwen2_moe"}
    if moe.has("first_k_dense_replace") or moe.integer("shared_intermediate_size", default=0, least=0):
        return {"model_type": "glm4_moe", "attention_bias": bias == "qkv"}
    same = row.values.get("intermediate_size") == moe.values.get("moe_intermediate_size")
    return {"model_type": "mixtral" if same else "qwen3_moe"}


def _dense(row: Config, bias: str) -> dict[str, object]:
    kind = row.text("mlp_type", "gated")
    if kind == "relu2":
        return {"model_type": "arcee"}
    if kind == "gelu2" and row.has("position_embeddings"):
        positions = row.integer("position_embeddings") - 2
        width = row.values.get("intermediate_size")
        return {"model_type": "opt", "ffn_dim": width, "max_position_embeddings": positions}
    if kind == "gelu2":
        encoder = row.values.get("tie_word_embeddings") is None
        return {"model_type": "bert"} if encoder else {"model_type": "gpt_neox", "attention_bias": bias == "qkvo"}
    if bias == "qkv":
        return {"model_type": "qwen2"}
    return {"model_type": "llama", "attention_bias": bias == "qkvo"}


def _gemma4(row: Config) -> dict[str, object]:
    """Gemma 4's extras: shared layers have a double-wide MLP where the model is small (E2B)."""
    if not row.has("global_head_dim"):
        return {}
    shared = row.integer("num_kv_shared_layers", default=0, least=0)
    return {
        "hidden_size_per_layer_input": row.integer("hidden_size_per_layer_input", default=0, least=0),
        "use_double_wide_mlp": 2 * shared > row.integer("num_hidden_layers"),
        "enable_moe_block": row.has("moe"),
    }


def _experts(moe: Config, row: Config) -> dict[str, object]:
    if not moe.values:
        return {}
    width = moe.integer("moe_intermediate_size")
    shared = moe.integer("shared_intermediate_size", default=0, least=0)
    return {
        "num_experts": moe.integer("num_experts"),
        "num_experts_per_tok": moe.integer("num_experts_per_tok"),
        "moe_intermediate_size": width,
        "intermediate_size": width if row.has("attention_chunk_size") else row.values.get("intermediate_size"),
        "shared_expert_intermediate_size": shared,
        "moe_shared_expert_intermediate_size": shared,
        "shared_intermediate_size": shared,
        "n_shared_experts": shared // width,
        "num_shared_experts": shared // width,
        "first_k_dense_replace": moe.integer("first_k_dense_replace", default=0, least=0),
        "decoder_sparse_step": moe.integer("moe_layer_freq", default=1),
    }


def _linear_attention(linear: Config, row: Config) -> dict[str, object]:
    if not linear.values:
        return {}
    kind, count = linear.text("type"), linear.integer("layers")
    full = row.integer("full_attention_layers", default=0, least=0)
    if kind == "mamba2":
        return _mamba2(linear, row, count, full)
    if kind in ("mamba", "mamba1"):
        return _mamba1(linear, row, count, full)
    names = ("num_key_heads", "num_value_heads", "key_head_dim", "value_head_dim")
    return {
        **{f"linear_{name}": linear.values.get(name) for name in names},
        "linear_conv_kernel_dim": linear.integer("conv_kernel", default=4),
        "linear_num_heads": linear.values.get("num_value_heads"),
        "linear_head_dim": linear.values.get("value_head_dim"),
        "layer_types": ["linear_attention"] * count + ["full_attention"] * full,
    }


def _mamba1(linear: Config, row: Config, count: int, full: int) -> dict[str, object]:
    """Mamba 1, alone or in a Jamba whose experts stand in every `moe_layer_freq`-th layer."""
    return {
        "mamba_expand": linear.integer("d_inner") // row.integer("hidden_size"),
        "mamba_d_state": linear.integer("d_state", default=16),
        "mamba_d_conv": linear.integer("conv_kernel", default=4),
        "mamba_dt_rank": linear.values.get("dt_rank"),
        "layer_types": ["mamba"] * count + ["attention"] * full,
        "expert_layer_period": row.section("moe").integer("moe_layer_freq", default=1),
        "expert_layer_offset": 0,
    }


def _mamba2(linear: Config, row: Config, count: int, full: int) -> dict[str, object]:
    plain, moe = row.integer("mlp_layers", default=0, least=0), row.section("moe")
    routed = moe.integer("moe_layers", default=0, least=0)
    renamed = {new: linear.values.get(old) for old, news in HEADS_OF_MAMBA.items() for new in news}
    head_dim = linear.integer("d_inner") // linear.integer("n_heads")
    side_by_side = count + full > row.integer("num_hidden_layers")
    return {
        **renamed,
        "num_heads": linear.integer("n_heads"),
        "mamba_d_ssm": linear.integer("d_inner"),
        "mamba_d_head": head_dim,
        "mamba_head_dim": head_dim,
        "shared_intermediate_size": row.values.get("intermediate_size"),
        "layer_types": None if side_by_side else ["mamba"] * count + ["attention"] * full,
        "hybrid_override_pattern": "M" * count + "*" * full + "-" * plain + "E" * routed,
    }


def _layer_types(row: Config) -> dict[str, object]:
    """Sliding layers before full ones: their order does not matter to any sum."""
    sliding = row.integer("sliding_layers", default=0, least=0)
    if not sliding:
        return {}
    full = row.integer("full_attention_layers", default=0, least=0)
    if row.has("num_kv_shared_layers"):  # which layers share a cache depends on the order: full ones close each group
        every = (sliding + full) // max(1, full)
        kinds = ["full_attention" if (i + 1) % every == 0 else "sliding_attention" for i in range(sliding + full)]
        return {"layer_types": kinds}
    return {"layer_types": ["sliding_attention"] * sliding + ["full_attention"] * full}
