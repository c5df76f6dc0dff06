"""What the speed formulas need to know of a model: a few numbers, or arrays of them for many models at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from planner.models.shape import AttentionLayers, Shape

SIXTEEN_BIT_BYTES = 2
UNBOUNDED_TOKENS = 1e9


@dataclass(frozen=True, slots=True)
class CacheGroup:
    """Attention layers that remember alike: cached elements a token, operations a remembered token, and for how long.

    MLA decodes in its latent space (`decode_operations`) and reads prompts in its heads (`prompt_operations`).
    """

    width: float
    decode_operations: float
    prompt_operations: float
    window_tokens: float


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Parameters by use in a step, and layers by kind.

    `attention` and `dense` are read by every token in the weight format, `expert` when chosen (`active_expert` of them
    by one token, each expert with probability `expert_share`), `plain` always in 16 bits (head, routers), `looked_up`
    never as a whole (embedding, vision tower).
    """

    attention: float
    dense: float
    expert: float
    plain: float
    looked_up: float
    active_expert: float
    expert_share: float
    layers: float
    expert_layers: float
    recurrent_layers: float
    state_bytes: float
    hidden_size: float
    cache_groups: tuple[CacheGroup, ...]

    @property
    def label(self) -> str:
        """The architecture, whoever tuned it: `70.6B 80 x 8192`, parameters and layers x width."""
        total = self.attention + self.dense + self.expert + self.plain + self.looked_up
        return f"{total / 1e9:.1f}B {self.layers:g} x {self.hidden_size:g}"


@lru_cache(maxsize=4096)
def anatomy(shape: Shape) -> Anatomy:
    """The numbers of one model."""
    attention = dense = expert = plain = looked_up = 0.0
    for matrix in shape.matrices:
        if matrix.component == "experts":
            expert += matrix.parameters
        elif (matrix.component == "embedding" and not shape.tied_embeddings) or matrix.component == "vision":
            looked_up += matrix.parameters
        elif not matrix.quantizable:
            plain += matrix.parameters
        elif matrix.component in ("attention", "recurrent"):
            attention += matrix.parameters
        else:
            dense += matrix.parameters
    expert_layers = sum(e.count for e in shape.experts)
    return Anatomy(
        attention=attention,
        dense=dense,
        expert=expert,
        plain=plain,
        looked_up=looked_up,
        active_expert=shape.active_parameters - attention - dense - plain - looked_up,
        expert_share=sum(e.count * e.experts_per_token / e.experts for e in shape.experts) / max(1, expert_layers),
        layers=shape.layer_count,
        expert_layers=expert_layers,
        recurrent_layers=sum(r.count for r in shape.recurrent),
        state_bytes=sum(r.count * (2 * r.state_elements + r.conv_elements) for r in shape.recurrent)
        * SIXTEEN_BIT_BYTES,
        hidden_size=shape.hidden_size,
        cache_groups=tuple(_cache_group(group) for group in shape.attention),
    )


def _cache_group(group: AttentionLayers) -> CacheGroup:
    heads = group.query_heads * group.count
    plain = 2 * heads * (group.head_dim + group.value_head_dim)
    window = float(group.window_tokens or UNBOUNDED_TOKENS)
    if group.kind == "mla":
        absorbed = 2 * heads * (2 * group.latent_dim + group.rope_dim)
        return CacheGroup(group.count * (group.latent_dim + group.rope_dim), absorbed, plain, window)
    width = group.count * group.kv_heads * (group.head_dim + group.value_head_dim)
    return CacheGroup(width, plain, plain, window)
