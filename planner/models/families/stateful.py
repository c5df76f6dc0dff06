"""Families with no attention, or little beside short convolutions: their memory does not grow with the context."""

from __future__ import annotations

from planner.models.config import Config
from planner.models.families.dense import qk_norms
from planner.models.families.sparse import read_experts
from planner.models.families.windows import attention_count
from planner.models.layers import (
    decoder,
    expert_mlps,
    gated_mlp,
    grouped_attention,
    linear,
    norm,
    read_core,
)
from planner.models.recurrent import convolution, read_mamba1, read_mamba2
from planner.models.shape import RecurrentLayers, Shape

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
    state = RecurrentLayers(convolved, "short_conv", 0, core.hidden * (kernel - 1), core.hidden)
    return decoder(config, core, layers, attention=(core.full_attention(full),), recurrent=(state,))


def lfm2_moe(config: Config) -> Shape:
    """LFM2 with experts: the first `num_dense_layers` have an ordinary MLP."""
    core = read_core(config, tied=True)
    full = attention_count(config, core.layers)
    kernel, convolved = config.integer("conv_L_cache", default=3), core.layers - full
    experts = read_experts(config, core.layers - config.integer("num_dense_layers", default=2, least=0))
    layers = [
        *grouped_attention(core, full),
        *qk_norms(core, full, "per_head_dim"),
        *linear("recurrent", "in_proj", 3 * core.hidden, core.hidden, convolved),
        *convolution(core.hidden, kernel, convolved, bias=config.flag("conv_bias", False)),
        *linear("recurrent", "out_proj", core.hidden, core.hidden, convolved),
        *gated_mlp(core.hidden, core.intermediate, core.layers - experts.count),
        *expert_mlps(core.hidden, experts),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    state = RecurrentLayers(convolved, "short_conv", 0, core.hidden * (kernel - 1), core.hidden)
    attention = (core.full_attention(full),)
    return decoder(config, core, layers, attention=attention, recurrent=(state,), experts=(experts,))


def _lfm2_width(config: Config, intermediate: int) -> int:
    """LFM2 states a width and uses two thirds of it, rounded up to a multiple."""
    if not config.flag("block_auto_adjust_ff_dim", True):
        return intermediate
    multiple = config.integer("block_multiple_of", default=256)
    return -(-(2 * intermediate // 3) // multiple) * multiple
