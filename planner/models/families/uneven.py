"""Families whose layers differ among themselves in heads or widths: Nemotron NAS, Step 3 and 3.5."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from planner.models.config import Config
from planner.models.families.dense import qk_norms
from planner.models.families.sparse import read_experts
from planner.models.families.windows import layer_kinds
from planner.models.layers import (
    Matrices,
    decoder,
    expert_mlps,
    gated_mlp,
    grouped_attention,
    linear,
    norm,
    read_core,
)
from planner.models.shape import AttentionLayers, Shape

WIDTH_MULTIPLE = 256


def nemotron_nas(config: Config) -> Shape:
    """Llama-Nemotron Super and Ultra: `block_configs` gives each layer its heads and its MLP, or takes them away."""
    blocks = config.values.get("block_configs")
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise config.wrong("block_configs", "a list of objects, one a layer")
    sections = [Config(block, f"{config.where}: block_configs") for block in blocks]
    core = read_core(config.with_defaults({"intermediate_size": 0}))
    groups = Counter(_group(section.section("attention")) for section in sections)
    widths = Counter(_width(section.section("ffn"), core.hidden) for section in sections)
    del groups[0], widths[0]
    attention: list[AttentionLayers] = []
    layers: Matrices = []
    for heads_in_group, count in groups.items():
        part = replace(core, kv_heads=core.query_heads // heads_in_group)
        attention.append(part.full_attention(count))
        layers += grouped_attention(part, count)
    for width, count in widths.items():
        layers += gated_mlp(core.hidden, width, count)
    layers += norm(core.hidden, groups.total() + widths.total() + 1)
    return decoder(config, core, layers, attention=tuple(attention))


def _group(attention: Config) -> int:
    """Query heads that share a key-value head; 0 for a layer without attention."""
    if attention.flag("no_op", False) or attention.flag("replace_with_linear", False):
        return 0
    return attention.integer("n_heads_in_group")


def _width(ffn: Config, hidden: int) -> int:
    """The MLP's width: `ffn_mult` x two thirds of four hidden sizes, in steps of 256; 0 for a layer without one."""
    multiplier = ffn.values.get("ffn_mult")
    if ffn.flag("no_op", False) or not isinstance(multiplier, int | float):
        return 0
    return -(-int(2 * multiplier * hidden / 3) // WIDTH_MULTIPLE) * WIDTH_MULTIPLE


def step3(config: Config) -> Shape:
    """Step 3: queries through a narrow shared projection, one key-value head for all (MFA)."""
    config = config.with_defaults(_step_names(config))
    core = read_core(config)
    shared_queries = config.integer("share_q_dim")
    routed = len(_listed(config, "moe_layers_enum"))
    experts = read_experts(config, routed, shared=config.integer("share_expert_dim", default=0, least=0))
    queries, keys = core.query_heads * core.head_dim, core.kv_heads * core.head_dim
    layers = [
        *linear("attention", "q_a_proj", shared_queries, core.hidden, core.layers),
        *norm(shared_queries, core.layers, role="q_a_norm"),
        *linear("attention", "q_b_proj", queries, shared_queries, core.layers),
        *linear("attention", "k_proj", keys, core.hidden, core.layers),
        *linear("attention", "v_proj", keys, core.hidden, core.layers),
        *linear("attention", "o_proj", core.hidden, queries, core.layers),
        *gated_mlp(core.hidden, core.intermediate, core.layers - routed),
        *expert_mlps(core.hidden, experts),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    return decoder(config, core, layers, attention=(core.full_attention(),), experts=(experts,))


def step3p5(config: Config) -> Shape:
    """Step 3.5 Flash: sliding layers with more query heads than the full ones, a gate on each head's output."""
    config = config.with_defaults(_step_names(config))
    core = read_core(config)
    other = config.section("attention_other_setting")
    kinds = layer_kinds(config, core.layers)
    full = kinds.count("full_attention") if kinds else core.layers // 4
    wide = replace(
        core,
        query_heads=other.integer("num_attention_heads", default=core.query_heads),
        kv_heads=other.integer("num_attention_groups", default=core.kv_heads),
    )
    routed = len(_listed(config, "moe_layers_enum"))
    experts = read_experts(config, routed, shared=config.integer("share_expert_dim", default=0, least=0))
    parts = ((core, full), (wide, core.layers - full))
    layers = [
        *(m for part, count in parts for m in grouped_attention(part, count)),
        *(m for part, count in parts for m in linear("attention", "g_proj", part.query_heads, core.hidden, count)),
        *qk_norms(core, core.layers, "per_head_dim"),
        *gated_mlp(core.hidden, core.intermediate, core.layers - routed),
        *expert_mlps(core.hidden, experts),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    window = config.integer("sliding_window", default=512)
    attention = (core.full_attention(full), wide.sliding_attention(window, core.layers - full))
    return decoder(config, core, layers, attention=attention, experts=(experts,))


def _step_names(config: Config) -> dict[str, object]:
    """Step's own spellings under the usual names."""
    names = {
        "num_key_value_heads": "num_attention_groups",
        "num_experts": "moe_num_experts",
        "num_experts_per_tok": "moe_top_k",
        "max_position_embeddings": "max_position_embedding",
    }
    return {ours: config.values[theirs] for ours, theirs in names.items() if config.has(theirs)}


def _listed(config: Config, key: str) -> list[str]:
    """Layer numbers written as one text, separated by commas; without it all layers but the first four."""
    text = config.text(key, "")
    return text.split(",") if text else [str(n) for n in range(4, config.integer("num_hidden_layers"))]
