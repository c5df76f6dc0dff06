"""MiniMax-Text-01 and M1: seven layers of lightning attention, then one of softmax; experts everywhere."""

from __future__ import annotations

from planner.models.config import Config
from planner.models.families.sparse import read_experts
from planner.models.layers import Core, Matrices, decoder, expert_mlps, grouped_attention, linear, norm, read_core
from planner.models.shape import RecurrentLayers, Shape

SOFTMAX = 1


def minimax_text_01(config: Config) -> Shape:
    """`attn_type_list` has a 1 for each softmax layer and a 0 for each with lightning attention."""
    core = read_core(config)
    kinds = config.integers("attn_type_list") or (0, 0, 0, 0, 0, 0, 0, 1) * (core.layers // 8)
    full = kinds.count(SOFTMAX)
    lightning = core.layers - full
    experts = read_experts(config, core.layers, width="intermediate_size")
    layers = [
        *grouped_attention(core, full),
        *lightning_attention(core, lightning),
        *expert_mlps(core.hidden, experts),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    state = RecurrentLayers(lightning, "lightning", core.query_heads * core.head_dim**2, 0)
    return decoder(config, core, layers, attention=(core.full_attention(full),), recurrent=(state,), experts=(experts,))


def lightning_attention(core: Core, copies: int) -> Matrices:
    """Query, key and value of every head, an output gate, and a norm before the output."""
    width = core.query_heads * core.head_dim
    return [
        *linear("recurrent", "in_proj_qkv", 3 * width, core.hidden, copies),
        *linear("recurrent", "output_gate", width, core.hidden, copies),
        *norm(width, copies, role="recurrent_norm"),
        *linear("recurrent", "out_proj", core.hidden, width, copies),
    ]
