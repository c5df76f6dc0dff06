"""Mamba with a few attention layers: Jamba, Granite 4, Bamba, Nemotron-H and Falcon-H1."""

from __future__ import annotations

from dataclasses import replace

from planner.models.config import LARGEST, Config
from planner.models.families.sparse import read_experts
from planner.models.families.windows import attention_count
from planner.models.layers import (
    decoder,
    expert_mlps,
    gated_mlp,
    grouped_attention,
    norm,
    plain_mlp,
    read_core,
)
from planner.models.recurrent import read_mamba1, read_mamba2
from planner.models.shape import Shape

NEMOTRON_LETTERS = {
    "mamba": "M",
    "linear_attention": "M",
    "attention": "*",
    "full_attention": "*",
    "mlp": "-",
    "moe": "E",
}


def jamba(config: Config) -> Shape:
    """Jamba: one attention layer in `attn_layer_period`, Mamba 1 between, experts every `expert_layer_period`."""
    core = read_core(config)
    full = (
        attention_count(config, core.layers)
        if config.has("layer_types")
        else _periodic(config, core.layers, "attn_layer")
    )
    experts = read_experts(config, _periodic(config, core.layers, "expert_layer"), width="intermediate_size")
    mamba = read_mamba1(config, core.hidden, norms=True)
    layers = [
        *grouped_attention(core, full),
        *mamba.matrices(core.hidden, core.layers - full),
        *gated_mlp(core.hidden, core.intermediate, core.layers - experts.count),
        *expert_mlps(core.hidden, experts),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    state = mamba.layers(core.layers - full)
    return decoder(config, core, layers, attention=(core.full_attention(full),), recurrent=(state,), experts=(experts,))


def _periodic(config: Config, layers: int, what: str) -> int:
    period, offset = config.integer(f"{what}_period"), config.integer(f"{what}_offset", least=0)
    return sum(layer % period == offset for layer in range(layers))


def granitemoehybrid(config: Config) -> Shape:
    """Granite 4: Mamba 2 with a few attention layers; a shared MLP, with routed experts beside it or without."""
    core = read_core(config)
    full = attention_count(config.with_defaults({"full_attention_interval": core.layers + 1}), core.layers)
    shared = config.integer("shared_intermediate_size", default=0, least=0)
    routed = config.integer("num_local_experts", default=0, least=0)
    experts = read_experts(config, core.layers, width="intermediate_size", shared=shared) if routed else None
    mamba = read_mamba2(config, core.hidden) if full < core.layers else None
    layers = [
        *grouped_attention(core, full),
        *(mamba.matrices(core.hidden, core.layers - full) if mamba else []),
        *(expert_mlps(core.hidden, experts) if experts else gated_mlp(core.hidden, shared, core.layers)),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    return decoder(
        config,
        core,
        layers,
        attention=(core.full_attention(full),),
        recurrent=(mamba.layers(core.layers - full),) if mamba else (),
        experts=(experts,) if experts else (),
    )


def bamba(config: Config) -> Shape:
    """Bamba: Mamba 2 but for the layers of `attn_layer_indices`, an ordinary MLP in each."""
    core = read_core(config)
    full = len(config.integers("attn_layer_indices")) or attention_count(config, core.layers)
    mamba = read_mamba2(config, core.hidden)
    layers = [
        *grouped_attention(core, full),
        *mamba.matrices(core.hidden, core.layers - full),
        *gated_mlp(core.hidden, core.intermediate, core.layers),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    state = mamba.layers(core.layers - full)
    return decoder(config, core, layers, attention=(core.full_attention(full),), recurrent=(state,))


def nemotron_h(config: Config) -> Shape:
    """Nemotron-H and Nemotron 3: a layer is one block, spelled M (Mamba 2), * (attention), - (MLP) or E (experts)."""
    pattern = _nemotron_pattern(config)
    config = config.with_defaults({"head_dim": config.values.get("attention_head_dim", 128)})
    core = replace(read_core(config.with_defaults({"num_hidden_layers": len(pattern)})), layers=len(pattern))
    mamba = read_mamba2(config, core.hidden)
    shared = config.integer("moe_shared_expert_intermediate_size", default=0, least=0)
    experts = read_experts(config, pattern.count("E"), shared=shared) if "E" in pattern else None
    bias = config.flag("mlp_bias", False)
    layers = [
        *grouped_attention(core, pattern.count("*"), qkv_bias=config.flag("attention_bias", False)),
        *mamba.matrices(core.hidden, pattern.count("M")),
        *plain_mlp(core.hidden, core.intermediate, pattern.count("-"), bias=bias),
        *(expert_mlps(core.hidden, experts, gated=False) if experts else []),
        *norm(core.hidden, core.layers + 1),
    ]
    return decoder(
        config,
        core,
        layers,
        attention=(core.full_attention(pattern.count("*")),),
        recurrent=(mamba.layers(pattern.count("M")),),
        experts=(experts,) if experts else (),
    )


def _nemotron_pattern(config: Config) -> str:
    """The order of blocks as one letter a layer."""
    names = config.texts("layers_block_type")
    pattern = "".join(NEMOTRON_LETTERS.get(name, "?") for name in names) or config.text("hybrid_override_pattern")
    if not pattern or set(pattern) - set("M*-E") or len(pattern) > LARGEST["num_hidden_layers"]:
        key = "layers_block_type" if names else "hybrid_override_pattern"
        raise config.wrong(key, "made of M, *, - and E (mamba, attention, mlp, moe)")
    return pattern


def falcon_h1(config: Config) -> Shape:
    """Falcon-H1: attention and Mamba 2 side by side in every layer."""
    core = read_core(config)
    mamba = replace(read_mamba2(config, core.hidden), norm=config.flag("mamba_rms_norm", False))
    layers = [
        *grouped_attention(core, core.layers),
        *mamba.matrices(core.hidden, core.layers),
        *gated_mlp(core.hidden, core.intermediate, core.layers),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    state = mamba.layers(core.layers)
    return decoder(config, core, layers, attention=(core.full_attention(),), recurrent=(state,))
