"""What the weights of many models take on one rank, all at once: the memory formulas fed with columns of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from planner.fits.arrays import Flags, Floats, Ints
from planner.fits.gguf_sizes import GgufFile, GgufSizes
from planner.memory.constants import engine_constants
from planner.memory.loading import (
    FUSED,
    OWN_SEGMENT_BYTES,
    SEGMENT_BYTES,
    SPLIT_BYTES,
    absorbed_bytes,
    expert_padding_bytes,
    layers_with,
    rope_bytes,
    sharing_bytes,
    vocab_padding_bytes,
)
from planner.memory.sharding import rank_fraction
from planner.memory.weights import is_quantized_in, layout_of, matrix_bytes
from planner.models.shape import Matrix, Shape
from planner.schemes import Scheme
from planner.units import GIB


@dataclass(frozen=True, eq=False)
class WeightTable:
    """Every weight tensor of some models, side by side: tensor `n` belongs to model `owner[n]`."""

    shapes: tuple[Shape, ...]

    @cached_property
    def matrices(self) -> list[tuple[int, Matrix]]:
        return [(owner, matrix) for owner, shape in enumerate(self.shapes) for matrix in shape.matrices]

    @cached_property
    def owner(self) -> Ints:
        return np.array([owner for owner, _ in self.matrices], dtype=np.int64)

    @cached_property
    def columns(self) -> Matrix:
        """All tensors as one `Matrix` whose numbers are columns; the formulas take it like any other."""
        return _as_columns([matrix for _, matrix in self.matrices])

    @cached_property
    def layers(self) -> Ints:
        """In how many layers each tensor stands."""
        return np.array([layers_with(matrix, self.shapes[owner]) for owner, matrix in self.matrices], dtype=np.int64)

    @cached_property
    def fused(self) -> Ints:
        """The number of the tensor that the engine stores each one in: query, key and value in one, and so on."""
        numbers: dict[tuple[int, str, int], int] = {}
        keys = (
            (owner, FUSED.get(matrix.role, matrix.role), int(layers))
            for (owner, matrix), layers in zip(self.matrices, self.layers, strict=True)
        )
        return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)

    @cached_property
    def kinds(self) -> tuple[list[tuple[Shape, Matrix]], Ints]:
        """A tensor of each kind that schemes tell apart (family, component, role), and the kind of each tensor."""
        numbers: dict[tuple[str, str, str, bool], int] = {}
        first: list[tuple[Shape, Matrix]] = []
        kinds = []
        for owner, matrix in self.matrices:
            shape = self.shapes[owner]
            number = numbers.setdefault((shape.family, matrix.component, matrix.role, matrix.quantizable), len(first))
            if number == len(first):
                first.append((shape, matrix))
            kinds.append(number)
        return first, np.array(kinds, dtype=np.int64)

    def quantized(self, scheme: Scheme) -> Flags:
        """Which tensors this scheme quantizes."""
        first, kinds = self.kinds
        flags: Flags = np.array([is_quantized_in(matrix, layout_of(shape, scheme)) for shape, matrix in first])[kinds]
        return flags

    def per_model(self, bytes: Floats) -> Floats:
        """Sums of a column of tensors by model."""
        return _sums(self.owner, bytes, len(self.shapes))


def stored_bytes(table: WeightTable, scheme: Scheme, tensor_parallel: int) -> Floats:
    """Bytes of each model's tensors on one rank (see `planner.memory.weights.weight_bytes`)."""
    tensors, overhead = _tensor_bytes(table, scheme)
    return table.per_model((tensors + overhead) * _fractions(table, tensor_parallel))


def loading_bytes(table: WeightTable, scheme: Scheme, tensor_parallel: int, engine: str) -> Floats:
    """Bytes a PyTorch engine holds beyond each model's tensors (see `planner.memory.loading.loading_extra`)."""
    library = engine_constants("loading")["library_gib"].get(engine, 0) * GIB
    extra: Floats = _rounding(table, scheme, tensor_parallel) + _dense_extra(table, tensor_parallel) + library
    if scheme.id in engine_constants("loading")["expert_padding"]["schemes"]:
        extra = extra + np.array([expert_padding_bytes(shape, scheme, tensor_parallel) for shape in table.shapes])
    return extra


@lru_cache(maxsize=32)
def gguf_sizes(
    table: WeightTable, scheme: Scheme, instruction_sets: tuple[str, ...] | None = None
) -> Sequence[GgufSizes]:
    """The sizes of each model's GGUF file; with instruction sets, also what such a CPU copies and unmaps."""
    sizes = {file: file.sizes(scheme, instruction_sets) for file in set(_files(table))}
    return [sizes[file] for file in _files(table)]


@lru_cache(maxsize=4)
def _files(table: WeightTable) -> tuple[GgufFile, ...]:
    """One file a model; models that differ in nothing their files show share one."""
    files: dict[object, GgufFile] = {}
    return tuple(
        files.setdefault((shape.matrices, shape.layer_count, shape.family), GgufFile(shape)) for shape in table.shapes
    )


@lru_cache(maxsize=64)
def _tensor_bytes(table: WeightTable, scheme: Scheme) -> tuple[Floats, Floats]:
    """Bytes of each tensor, and of its scales and zero points, in this scheme."""
    plain = matrix_bytes(_unquantizable(table.columns), scheme, None)
    packed = matrix_bytes(table.columns, scheme, None)
    quantized = table.quantized(scheme) if scheme.is_quantized else np.ones(len(table.matrices), dtype=bool)
    tensors = np.where(quantized, packed.quantized, plain.sixteen_bit)
    return tensors, np.where(quantized, packed.scales_and_zeros, 0.0)


@lru_cache(maxsize=64)
def _rounding(table: WeightTable, scheme: Scheme, tensor_parallel: int) -> Floats:
    """What the caching allocator wastes on each model's fused tensors."""
    tensors, _ = _tensor_bytes(table, scheme)
    one = _sums(table.fused, tensors * (_fractions(table, tensor_parallel) / table.layers))
    wasted = rounding(one)
    first = np.unique(table.fused, return_index=True)[1]
    return _sums(table.owner[first], wasted * table.layers[first], len(table.shapes))


def rounding(tensor_bytes: Floats) -> Floats:
    """`planner.memory.loading.rounding_bytes` of many tensors."""
    left = -tensor_bytes % SEGMENT_BYTES
    wasted: Floats = np.where((tensor_bytes < OWN_SEGMENT_BYTES) | (left > SPLIT_BYTES), 0.0, left)
    return wasted


@lru_cache(maxsize=16)
def _fractions(table: WeightTable, tensor_parallel: int) -> Floats:
    return np.array([rank_fraction(matrix, table.shapes[owner], tensor_parallel) for owner, matrix in table.matrices])


@lru_cache(maxsize=16)
def _dense_extra(table: WeightTable, tensor_parallel: int) -> Floats:
    """Padded vocabulary, rope tables and absorbed projections, which no scheme quantizes."""
    return np.array(
        [
            vocab_padding_bytes(shape, tensor_parallel)
            + rope_bytes(shape)
            + absorbed_bytes(shape, tensor_parallel)
            + sharing_bytes(shape, tensor_parallel)
            for shape in table.shapes
        ]
    )


def _sums(groups: Ints, values: Floats, count: int = 0) -> Floats:
    """Sums by group, added in their order as the formulas for one model do."""
    return np.bincount(groups, weights=values, minlength=count).astype(np.float64)


def _as_columns(matrices: Sequence[Matrix]) -> Matrix:
    """One `Matrix` of columns instead of numbers."""
    numbers = np.array([(m.rows, m.columns, m.copies) for m in matrices], dtype=np.int64).reshape(-1, 3)
    rows, columns, copies = (numbers[:, n] for n in range(3))
    return Matrix("other", "columns", rows, columns, copies, quantizable=True)  # type: ignore[arg-type]


def _unquantizable(columns: Matrix) -> Matrix:
    return Matrix("other", "columns", columns.rows, columns.columns, columns.copies)
