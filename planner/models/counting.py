"""Whether the weights in the files add up to the shape that was read from the config."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from planner.models.model import StoredTensor
from planner.models.shape import Shape

# Buffers and unused heads make headers and shapes differ a little; beyond this the shape misses something.
COUNTS_AGREE_WITHIN = 0.01


def count_mismatch(shape: Shape, tensors: Iterable[StoredTensor]) -> list[str]:
    """A sentence when unpacked tensors hold another number of parameters than the shape; else nothing."""
    stored = sum(prod(tensor.shape) for tensor in tensors)
    if abs(stored / shape.parameters - 1) <= COUNTS_AGREE_WITHIN:
        return []
    return [f"the weight files hold {stored:,} parameters, the shape of the config {shape.parameters:,}"]
