"""What quantizing holds, in bytes, told from the shape: model, checkpoint, a layer, its Hessians, the text run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from planner.memory.weights import weight_bytes
from planner.models.shape import Matrix, Shape
from planner.schemes import Scheme, scheme

SIXTEEN_BIT_BYTES, FLOAT_BYTES = 2, 4
MIXERS = ("attention", "recurrent")
CHANNELS = ("mlp", "experts")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Text run through the model: so many samples of so many tokens."""

    samples: int
    tokens: int

    @property
    def total_tokens(self) -> int:
        return self.samples * self.tokens


def quantities(
    shape: Shape, target: Scheme, group_size: int | None, calibration: Calibration | None
) -> dict[str, float]:
    """Bytes of everything that quantizing.yaml counts copies of."""
    layer = list(layer_matrices(shape))
    text = calibration.total_tokens if calibration else 0
    return {
        "model": weight_bytes(shape, scheme("bf16")).total,
        "output": weight_bytes(shape, target, group_size).total,
        "calibration": float(text * shape.hidden_size * SIXTEEN_BIT_BYTES),
        "layer": float(sum(matrix.rows * matrix.columns * copies for matrix, copies in layer) * SIXTEEN_BIT_BYTES),
        "hessians": float(sum(hessian_bytes(matrix) * copies for matrix, copies in layer)),
        "hessian_group": largest_hessian_group(layer),
        "matrix": float(max((m.rows * m.columns for m in shape.quantizable()), default=0) * FLOAT_BYTES),
        "tower": float(shape.parameters_by_component().get("vision", 0) * SIXTEEN_BIT_BYTES),
    }


def layer_matrices(shape: Shape) -> Iterable[tuple[Matrix, int]]:
    """The quantizable matrices of the largest layer, each with its copies there: one mixer, and an MLP or experts."""
    for kinds in (MIXERS, CHANNELS):
        by_kind = {
            kind: [(m, copies_a_layer(shape, m)) for m in shape.quantizable() if m.component == kind] for kind in kinds
        }
        yield from max(by_kind.values(), key=lambda found: sum(m.rows * m.columns * copies for m, copies in found))


def copies_a_layer(shape: Shape, matrix: Matrix) -> int:
    """How many such matrices one layer has: an expert's is there once for each expert."""
    routed = sum(layers.count for layers in shape.experts)
    layers = routed if matrix.component == "experts" and routed else shape.layer_count
    return max(1, -(-matrix.copies // layers))


def hessian_bytes(matrix: Matrix) -> int:
    """GPTQ's Hessian of one matrix: FP32, inputs x inputs."""
    return FLOAT_BYTES * matrix.columns**2


def largest_hessian_group(layer: Iterable[tuple[Matrix, int]]) -> float:
    """Hessians of matrices that are quantized together because they read the same input."""
    groups: dict[tuple[str, int], float] = defaultdict(float)
    for matrix, copies in layer:
        groups[matrix.component, matrix.columns] += hessian_bytes(matrix) * copies
    return max(groups.values(), default=0.0)


def largest_tensor_elements(shape: Shape) -> int:
    return max((matrix.rows * matrix.columns for matrix in shape.matrices), default=0)
