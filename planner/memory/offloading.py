"""Weights kept in the host's memory and read over PCIe (`--cpu-offload-gb`)."""

from __future__ import annotations

from planner.memory.weights import WeightBytes
from planner.models.shape import Shape
from planner.units import GIB

NEVER_OFFLOADED = frozenset({"embedding", "head", "vision"})


def left_on_gpu(weights: WeightBytes, shape: Shape, offload_gib: float, tensor_parallel: int) -> WeightBytes:
    """What stays on the GPU: vLLM moves decoder layers to the host until so many GiB a rank are there."""
    if not offload_gib:
        return weights
    kept = sum(m.parameters * 2 for m in shape.matrices if m.component in NEVER_OFFLOADED) / tensor_parallel
    left = max(weights.total - offload_gib * GIB, min(kept, weights.total))
    return weights.times(left / weights.total)
