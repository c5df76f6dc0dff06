"""Mixture-of-experts families whose first layers are dense, or whose layers differ among themselves."""

from __future__ import annotations

from dataclasses import replace

from planner.models.config import Config
from planner.models.families.dense import QkNorm
from planner.models.families.sparse import read_experts, sparse_decoder
from planner.models.families.windows import layer_kinds
from planner.models.layers import (
    Core,
    Matrices,
    decoder,
    expert_mlps,
    gated_mlp,
    linear,
    norm,
    read_core,
    routed_experts,
    vector,
)
from planner.models.shape import AttentionLayers, Shape


def glm4_moe(config: Config) -> Shape:
    """GLM-4.5 to 4.7: the first layers dense, the rest routed with a shared expert."""
    core = read_core(config)
    width = config.integer("moe_intermediate_size")
    shared = width * config.integer("n_shared_experts", default=0, least=0)
    routed = core.layers - min(core.layers, config.integer("first_k_dense_replace", default=0, least=0))
    experts = read_experts(config, routed, shared=shared)
    return sparse_decoder(
        config,
        core,
        experts,
        expert_mlps(core.hidden, experts),
        qkv_bias=config.flag("attention_bias", False),
        qk_norm="per_head_dim" if config.flag("use_qk_norm", False) else "none",
    )


def dots1(config: Config) -> Shape:
    """dots.llm1 and EXAONE MoE: GLM-4.5's layout with norms on queries and keys."""
    shared = config.values.get("num_shared_experts")
    return glm4_moe(config.with_defaults({"use_qk_norm": True, "n_shared_experts": shared}))


def hunyuan_3(config: Config) -> Shape:
    """Hunyuan 3: the layout of dots.llm1; which layers are dense is listed in `mlp_layer_types`."""
    kinds = config.texts("mlp_layer_types")
    return dots1(config.with_defaults({"first_k_dense_replace": kinds.count("dense") if kinds else 1}))


def afmoe(config: Config) -> Shape:
    """Arcee's Trinity: gated attention, norms around each block, a full layer after three sliding ones."""
    pattern = {"sliding_window_pattern": config.values.get("global_attn_every_n_layers", 4)}
    config = config.with_defaults(pattern)
    core = read_core(config)
    dense_layers = config.integer("num_dense_layers", default=1, least=0)
    shared = config.integer("moe_intermediate_size") * config.integer("num_shared_experts", default=0, least=0)
    experts = read_experts(config, core.layers - dense_layers, shared=shared)
    gates = linear("attention", "gate_proj", core.query_heads * core.head_dim, core.hidden, core.layers)
    mlps = [*expert_mlps(core.hidden, experts), *vector("router", "router_bias", experts.experts, experts.count)]
    around = norm(core.hidden, 2 * core.layers)
    return sparse_decoder(config, core, experts, [*mlps, *gates, *around], qk_norm="per_head_dim")


def hunyuan_moe(config: Config) -> Shape:
    """Hunyuan A13B: every layer routed; sizes may be listed once a layer, all alike."""
    keys = ("num_experts", "moe_topk", "moe_intermediate_size", "num_shared_expert")
    listed = {key: config.integers(key)[:1] for key in keys if isinstance(config.values.get(key), list)}
    config = Config({**config.values, **{key: first[0] for key, first in listed.items() if first}}, config.where)
    core = read_core(config, tied=True)
    width = config.integer("moe_intermediate_size", default=core.intermediate)
    shared = width * config.integer("num_shared_expert", default=1, least=0)
    named = {"num_experts_per_tok": config.integer("moe_topk"), "moe_intermediate_size": width}
    experts = read_experts(config.with_defaults(named), core.layers, shared=shared)
    qk_norm: QkNorm = "per_head_dim" if config.flag("use_qk_norm", True) else "none"
    return sparse_decoder(config, core, experts, expert_mlps(core.hidden, experts), qk_norm=qk_norm)


def ernie4_5_moe(config: Config) -> Shape:
    """ERNIE 4.5: layers from `moe_layer_start_index` on are routed, with shared experts."""
    core = read_core(config, tied=True)
    first = config.integer("moe_layer_start_index", default=1, least=0)
    shared = config.integer("moe_intermediate_size") * config.integer("moe_num_shared_experts", default=0, least=0)
    experts = read_experts(config, max(0, core.layers - first), shared=shared)
    balance = vector("router", "router_bias", experts.experts, experts.count)
    return sparse_decoder(config, core, experts, [*expert_mlps(core.hidden, experts), *balance])


def ernie4_5_moe_vl(config: Config) -> Shape:
    """ERNIE 4.5 VL: a second set of narrower experts for vision tokens; its tower is not counted, and said so."""
    widths, counts = config.integers("moe_intermediate_size"), config.integers("moe_num_experts")
    if len(widths) != 2 or len(counts) != 2:
        raise config.wrong("moe_intermediate_size", "a list of two widths, for text and for vision")
    own = {"moe_intermediate_size": widths[0], "moe_num_experts": counts[0]}
    text = ernie4_5_moe(Config({**config.values, **own}, config.where))
    vision = replace(text.experts[0], experts=counts[1], intermediate_size=widths[1], shared_intermediate_size=0)
    matrices = (*text.matrices, *routed_experts(text.hidden_size, vision))
    return replace(text, matrices=matrices, notes=(*text.notes, "the vision tower is not counted"))


def dbrx(config: Config) -> Shape:
    """DBRX: its attention and experts in sections of their own, a key-value head for each six queries."""
    attention, ffn = config.section("attn_config"), config.section("ffn_config")
    flat = {
        "num_key_value_heads": attention.integer("kv_n_heads"),
        "num_experts": ffn.integer("moe_num_experts"),
        "num_experts_per_tok": ffn.integer("moe_top_k"),
        "moe_intermediate_size": ffn.integer("ffn_hidden_size"),
    }
    config = config.with_defaults(flat)
    core = read_core(config)
    experts = read_experts(config, core.layers)
    return sparse_decoder(config, core, experts, expert_mlps(core.hidden, experts))


def mimo_v2_flash(config: Config) -> Shape:
    """MiMo-V2-Flash: sliding layers with twice the key-value heads of the full ones, values narrower than keys."""
    core = read_core(config)
    experts = read_experts(config, core.layers - config.integer("first_k_dense_replace", default=1, least=0))
    values = config.integer("v_head_dim", default=core.head_dim)
    window = config.integer("sliding_window", "sliding_window_size", default=128)
    kinds = layer_kinds(config, core.layers)
    full = kinds.count("full_attention") if kinds else config.integers("hybrid_layer_pattern").count(0)
    sliding_kv_heads = config.integer("swa_num_key_value_heads", default=2 * core.kv_heads)
    whole = AttentionLayers(full, core.query_heads, core.kv_heads, core.head_dim, values)
    sliding = replace(whole, count=core.layers - full, kv_heads=sliding_kv_heads, kind="sliding", window_tokens=window)
    layers = [
        *(matrix for part in (whole, sliding) for matrix in _unequal_attention(core, part)),
        *vector("attention", "sinks", core.query_heads, sliding.count),
        *gated_mlp(core.hidden, core.intermediate, core.layers - experts.count),
        *expert_mlps(core.hidden, experts),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    return decoder(config, core, layers, attention=(whole, sliding), experts=(experts,))


def _unequal_attention(core: Core, part: AttentionLayers) -> Matrices:
    """Grouped attention whose values are narrower than its keys."""
    return [
        *linear("attention", "q_proj", part.query_heads * part.head_dim, core.hidden, part.count),
        *linear("attention", "k_proj", part.kv_heads * part.head_dim, core.hidden, part.count),
        *linear("attention", "v_proj", part.kv_heads * part.value_head_dim, core.hidden, part.count),
        *linear("attention", "o_proj", core.hidden, part.query_heads * part.value_head_dim, part.count),
    ]
