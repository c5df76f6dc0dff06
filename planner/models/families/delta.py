"""Linear attention with a few full layers: Qwen3-Next and Qwen3.5."""

from __future__ import annotations

from planner.models.config import Config
from planner.models.families.dense import qk_norms
from planner.models.families.sparse import read_experts, routed_layers
from planner.models.families.windows import attention_count
from planner.models.layers import (
    Core,
    Matrices,
    decoder,
    dense,
    expert_mlps,
    gated_mlp,
    grouped_attention,
    norm,
    read_core,
)
from planner.models.recurrent import read_delta_net
from planner.models.shape import RecurrentLayers, Shape


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
