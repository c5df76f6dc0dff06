"""Mixture-of-experts families with ordinary attention."""

from __future__ import annotations

from planner.models.config import Config
from planner.models.families.windows import attention_layers
from planner.models.layers import decoder, grouped_attention, norm, read_core, routed_experts
from planner.models.shape import ExpertLayers, Shape


def read_experts(config: Config, count: int, *, intermediate: str, shared_width: int = 0) -> ExpertLayers:
    """The routed experts of `count` layers; `intermediate` is the key that holds an expert's width."""
    experts = config.integer("num_experts", or_key="num_local_experts")
    per_token = config.integer("num_experts_per_tok", or_key="num_experts_per_token")
    if per_token > experts:
        raise config.wrong("num_experts_per_tok", f"at most the number of experts ({experts})")
    return ExpertLayers(count, experts, per_token, config.integer(intermediate), shared_width)


def mixtral(config: Config) -> Shape:
    """Mixtral and Phi-MoE-like: every layer is routed, no shared expert."""
    core = read_core(config)
    experts = read_experts(config, core.layers, intermediate="intermediate_size")
    layers = [
        *grouped_attention(core, core.layers),
        *routed_experts(core.hidden, experts),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    return decoder(config, core, layers, attention=attention_layers(config, core), experts=(experts,))
