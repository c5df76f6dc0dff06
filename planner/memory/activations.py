"""What one token keeps alive at the widest point of a forward pass."""

from __future__ import annotations

from planner.models.shape import Shape

ACTIVATION_BYTES = 2


def forward_bytes(shape: Shape, tokens: int, tensor_parallel: int, hidden_copies: float) -> float:
    """Gate, up and their product at the widest MLP, and the hidden states alive beside them."""
    width = max((mlp_width(shape) / tensor_parallel, expert_width(shape, tensor_parallel)))
    return tokens * (width + hidden_copies * shape.hidden_size) * ACTIVATION_BYTES


def mlp_width(shape: Shape) -> float:
    """Elements a token occupies in the widest dense MLP: gate, up and product."""
    return 3 * max((m.columns for m in shape.matrices if m.role == "down_proj"), default=0)


def expert_width(shape: Shape, tensor_parallel: int) -> float:
    """Elements a token occupies in the chosen experts: gate and up of each, and its output."""
    return max(
        (e.experts_per_token * (2 * e.intermediate_size / tensor_parallel + shape.hidden_size) for e in shape.experts),
        default=0,
    )
