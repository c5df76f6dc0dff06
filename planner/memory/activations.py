"""The widest moments of an engine's profiling run, in bytes: forward pass, sampler, vision tower, expert workspace."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

from planner.memory.constants import engine_constants
from planner.models.shape import Shape
from planner.units import GIB

ACTIVATION_BYTES = 2


def forward_bytes(shape: Shape, tokens: int, tensor_parallel: int, hidden_copies: float) -> float:
    """Gate, up and their product at the widest MLP, and the hidden states alive beside them."""
    width = max(mlp_width(shape) / tensor_parallel, expert_width(shape, tensor_parallel))
    return tokens * (width + hidden_copies * shape.hidden_size) * ACTIVATION_BYTES


def sampler_bytes(shape: Shape, sequences: int, tokens: int, bytes_per_logit: float, hidden_copies: float) -> float:
    """The logits of every sequence with the copies sampling makes of them, and the hidden states they came from."""
    hidden = tokens * hidden_copies * shape.hidden_size * ACTIVATION_BYTES
    return sequences * shape.vocab_size * bytes_per_logit + hidden


def workspace_bytes(shape: Shape, tokens: int, tensor_parallel: int) -> float:
    """Workspace of the fused expert kernels, allocated while profiling and kept."""
    return tokens * expert_width(shape, tensor_parallel) * ACTIVATION_BYTES


@lru_cache(maxsize=1024)
def vision_bytes(shape: Shape) -> float:
    """A vision tower's peak where only its size is known: it grows with the tower's width, the root of its size."""
    vision = engine_constants("vllm")["vision"]
    parameters_b = sum(m.parameters for m in shape.matrices if m.component == "vision") / 1e9
    if any(word in shape.family for word in vision["fixed_images"]):
        return 0.0
    peak: float = vision["gib_per_root_parameters_b"] * sqrt(parameters_b) * GIB
    return peak


@lru_cache(maxsize=1024)
def mlp_width(shape: Shape) -> float:
    """Elements a token occupies in the widest dense MLP: gate, up and product."""
    return 3 * max((m.columns for m in shape.matrices if m.role == "down_proj"), default=0)


@lru_cache(maxsize=1024)
def expert_width(shape: Shape, tensor_parallel: int) -> float:
    """Elements a token occupies in the chosen experts: gate and up of each, and its output."""
    return max(
        (e.experts_per_token * (2 * e.intermediate_size / tensor_parallel + shape.hidden_size) for e in shape.experts),
        default=0,
    )
