"""LoRA adapters: what an engine reserves for them beside the weights."""

from __future__ import annotations

from planner.memory.weights import WeightBytes
from planner.models.shape import Matrix, Shape

ADAPTED = frozenset({"attention", "mlp"})
INPUT_SPLIT = frozenset({"o_proj", "down_proj"})
ELEMENT_BYTES = 2


def adapter_bytes(shape: Shape, rank: int, adapters: int = 1, tensor_parallel: int = 1) -> WeightBytes:
    """Buffers for `adapters` adapters of that rank on every linear layer (vllm/lora/layers, fully_sharded_loras off).

    Of the two low-rank halves the one beside the split dimension is split, the other is held by every rank.
    """
    elements = sum(
        _halves(matrix, tensor_parallel) * matrix.copies
        for matrix in shape.matrices
        if matrix.quantizable and matrix.component in ADAPTED
    )
    return WeightBytes(0, 0, elements * rank * adapters * ELEMENT_BYTES)


def _halves(matrix: Matrix, tensor_parallel: int) -> float:
    if matrix.role in INPUT_SPLIT:
        return matrix.columns / tensor_parallel + matrix.rows
    return matrix.columns + matrix.rows / tensor_parallel
