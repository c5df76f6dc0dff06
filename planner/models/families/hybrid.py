"""Families that mix attention with recurrent layers, and those that have no attention at all."""

from __future__ import annotations

from dataclasses import replace

from planner.models.config import LARGEST, Config
from planner.models.families.dense import qk_norms
from planner.models.families.latent import latent_attention, latent_projections
from planner.models.families.sparse import read_experts, routed_layers
from planner.models.families.windows import layer_kinds
from planner.models.layers import (
    Core,
    Matrices,
    decoder,
    dense,
    expert_mlps,
    gated_mlp,
    grouped_attention,
    linear,
    norm,
    plain_mlp,
    read_core,
)
from planner.models.recurrent import DeltaNet, convolution, read_delta_net, read_mamba1, read_mamba2
from planner.models.shape import RecurrentLayers, Shape

FULL = ("full_attention", "attention")
NEMOTRON_LETTERS = {
    "mamba": "M",
    "linear_attention": "M",
    "attention": "*",
    "full_attention": "*",
    "mlp": "-",
    "moe": "E",
}


def attention_count(config: Config, layers: int) -> int:
    """Layers with attention: listed one by one, or the last of every `full_attention_interval`."""
    kinds = layer_kinds(config, layers)
    if kinds:
        return sum(kind in FULL for kind in kinds)
    return layers // config.integer("full_attention_interval", default=4)


def delta_net_layers(config: Config, core: Core) -> tuple[Matrices, RecurrentLayers, int]:
    """The attention and delta-net halves shared by Qwen3-Next and Qwen3.5: tensors, state, attention layers."""
    full = attention_count(config, core.layers)
    delta_net = read_delta_net(config)
    matrices = [
        *grouped_attention(core, full, gated=config.flag("attn_output_gate", True)),
        *qk_norms(core, full, "per_head_dim"),
        *delta_net.matrices(core.hidden, core.layers - full),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    return matrices, delta_net.layers(core.layers - full), full


def qwen3_next(config: Config) -> Shape:
    """Qwen3-Next and Qwen3.5/3.6 MoE: three delta-net layers, then gated attention; experts everywhere."""
    config = config.with_defaults({"head_dim": 256, "intermediate_size": 0})
    core = read_core(config)
    mixers, state, full = delta_net_layers(config, core)
    shared = config.integer("shared_expert_intermediate_size")
    experts = read_experts(config, routed_layers(config, core.layers), shared=shared)
    layers = [
        *mixers,
        *gated_mlp(core.hidden, core.intermediate, core.layers - experts.count),
        *expert_mlps(core.hidden, experts),
        *dense("router", "shared_expert_gate", 1, core.hidden, experts.count),
    ]
    attention = (core.full_attention(full),)
    return decoder(config, core, layers, attention=attention, recurrent=(state,), experts=(experts,))


def qwen3_5(config: Config) -> Shape:
    """Qwen3.5 and 3.6, dense: the mixers of Qwen3-Next with an ordinary MLP."""
    config = config.with_defaults({"head_dim": 256})
    core = read_core(config)
    mixers, state, full = delta_net_layers(config, core)
    layers = [*mixers, *gated_mlp(core.hidden, core.intermediate, core.layers)]
    return decoder(config, core, layers, attention=(core.full_attention(full),), recurrent=(state,))


def kimi_linear(config: Config) -> Shape:
    """Kimi Linear: three KDA layers, then MLA; the first layer dense, the rest routed."""
    config = config.with_defaults({"head_dim": 1})
    core = read_core(config)
    linear_config = config.section("linear_attn_config")
    own = linear_config.has("kda_layers")
    kda = len(linear_config.integers("kda_layers")) if own else core.layers - attention_count(config, core.layers)
    heads = linear_config.integer("num_heads") if own else config.integer("linear_num_heads")
    width = linear_config.integer("head_dim") if own else config.integer("linear_head_dim")
    kernel = linear_config.integer("short_conv_kernel_size", default=4)
    delta = DeltaNet(heads, heads, width, width, kernel)
    latent = latent_attention(config, core, core.layers - kda)
    routed = core.layers - min(core.layers, config.integer("first_k_dense_replace", default=1, least=0))
    shared = config.integer("moe_intermediate_size") * config.integer("num_shared_experts", default=1, least=0)
    experts = read_experts(config, routed, shared=shared)
    layers = [
        *latent_projections(config, core, latent),
        *delta.kda_matrices(core.hidden, kda),
        *gated_mlp(core.hidden, core.intermediate, core.layers - routed),
        *expert_mlps(core.hidden, experts),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    state = delta.layers(kda, "kda")
    return decoder(config, core, layers, attention=(latent,), recurrent=(state,), experts=(experts,))


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


NO_HEADS = {"num_attention_heads": 1, "head_dim": 1, "intermediate_size": 0}


def mamba(config: Config) -> Shape:
    """Mamba and Falcon Mamba: no attention, so no KV cache."""
    core = read_core(Config({**config.values, **NO_HEADS}, config.where), tied=True)
    block = read_mamba1(config, core.hidden)
    layers = [*block.matrices(core.hidden, core.layers), *norm(core.hidden, core.layers + 1)]
    return decoder(config, core, layers, recurrent=(block.layers(core.layers),))


def mamba2(config: Config) -> Shape:
    """Mamba 2 and Codestral Mamba."""
    core = read_core(Config({**config.values, **NO_HEADS}, config.where))
    block = read_mamba2(config, core.hidden)
    layers = [*block.matrices(core.hidden, core.layers), *norm(core.hidden, core.layers + 1)]
    return decoder(config, core, layers, recurrent=(block.layers(core.layers),))


def lfm2(config: Config) -> Shape:
    """LFM2: short gated convolutions with a few attention layers."""
    core = read_core(config, tied=True)
    full = attention_count(config, core.layers)
    kernel, convolved = config.integer("conv_L_cache", default=3), core.layers - full
    width = _lfm2_width(config, core.intermediate)
    layers = [
        *grouped_attention(core, full),
        *qk_norms(core, full, "per_head_dim"),
        *linear("recurrent", "in_proj", 3 * core.hidden, core.hidden, convolved),
        *convolution(core.hidden, kernel, convolved, bias=config.flag("conv_bias", False)),
        *linear("recurrent", "out_proj", core.hidden, core.hidden, convolved),
        *gated_mlp(core.hidden, width, core.layers),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    state = RecurrentLayers(convolved, "short_conv", 0, core.hidden * (kernel - 1))
    return decoder(config, core, layers, attention=(core.full_attention(full),), recurrent=(state,))


def _lfm2_width(config: Config, intermediate: int) -> int:
    """LFM2 states a width and uses two thirds of it, rounded up to a multiple."""
    if not config.flag("block_auto_adjust_ff_dim", True):
        return intermediate
    multiple = config.integer("block_multiple_of", default=256)
    return -(-(2 * intermediate // 3) // multiple) * multiple
