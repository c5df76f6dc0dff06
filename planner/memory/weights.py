"""What the weights of a model take after a scheme: quantized part, scales and zeros, and what stays in 16 bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from planner.catalog import load_yaml
from planner.memory.gguf_mix import gguf_file
from planner.memory.sharding import rank_fraction
from planner.models.model import Checkpoint, Model, StoredTensor
from planner.models.shape import Matrix, Shape
from planner.schemes import Scheme

SCALE_NAMES = ("scale", "scales", "zero", "zeros", "qzeros", "zero_point", "absmax", "quant_map", "SCB", "g_idx")
SIXTEEN_BIT_DTYPES = frozenset({"BF16", "F16", "F32"})


@dataclass(frozen=True, slots=True)
class WeightBytes:
    """Bytes of the weights on one accelerator, in three labelled parts."""

    quantized: float
    scales_and_zeros: float
    sixteen_bit: float

    @property
    def total(self) -> float:
        return self.quantized + self.scales_and_zeros + self.sixteen_bit

    def __add__(self, other: WeightBytes) -> WeightBytes:
        return WeightBytes(
            self.quantized + other.quantized,
            self.scales_and_zeros + other.scales_and_zeros,
            self.sixteen_bit + other.sixteen_bit,
        )

    def times(self, factor: float) -> WeightBytes:
        return WeightBytes(self.quantized * factor, self.scales_and_zeros * factor, self.sixteen_bit * factor)


NOTHING = WeightBytes(0, 0, 0)


@lru_cache(maxsize=4096)
def weight_bytes(
    shape: Shape,
    scheme: Scheme,
    group_size: int | None = None,
    tensor_parallel: int = 1,
    expert_parallel: int | None = None,
) -> WeightBytes:
    """Bytes one of `tensor_parallel` ranks holds in this scheme; `group_size` overrides the scheme's own.

    `expert_parallel`: the ranks the experts are dealt out to, where that is not tensor parallelism.
    """
    if scheme.ggml:
        return _gguf_bytes(shape, scheme, scheme.ggml).times(1 / tensor_parallel)
    total, scheme = NOTHING, layout_of(shape, scheme)
    for matrix in shape.matrices:
        total += matrix_bytes(matrix, scheme, group_size).times(
            rank_fraction(matrix, shape, tensor_parallel, expert_parallel)
        )
    return total


def layout_of(shape: Shape, scheme: Scheme) -> Scheme:
    """The scheme as the makers of that family apply it, where they leave more in 16 bits than it does."""
    return _family_layout(shape.family, scheme)


@lru_cache(maxsize=1024)
def _family_layout(family: str, scheme: Scheme) -> Scheme:
    published: list[Mapping[str, Any]] = load_yaml("quantization_names.yaml")["published_layouts"]
    for entry in published:
        if entry["family"] == family and entry["scheme"] == scheme.id:
            return replace(scheme, keeps_16_bit=tuple(dict.fromkeys((*scheme.keeps_16_bit, *entry["keeps_16_bit"]))))
    return scheme


def model_weight_bytes(
    model: Model,
    scheme: Scheme,
    group_size: int | None = None,
    tensor_parallel: int = 1,
    expert_parallel: int | None = None,
) -> WeightBytes:
    """Like `weight_bytes`, but exact where the model's checkpoint is already stored in this scheme."""
    theory = weight_bytes(model.shape, scheme, group_size, tensor_parallel, expert_parallel)
    stored = stored_bytes(model.checkpoint, scheme)
    if stored is None:
        return theory
    whole = weight_bytes(model.shape, scheme, group_size)
    return stored.times(theory.total / whole.total)


def stored_bytes(checkpoint: Checkpoint | None, scheme: Scheme) -> WeightBytes | None:
    """The exact bytes of a checkpoint stored in this scheme; None when it is stored otherwise."""
    if checkpoint is None or not checkpoint.tensors or not _same_storage(checkpoint.stored_format, scheme):
        return None
    total = NOTHING
    for tensor in checkpoint.tensors:
        total += _stored_part(tensor, scheme)
    return total


def _same_storage(stored_format: str, scheme: Scheme) -> bool:
    sixteen = {"bf16", "fp16"}
    return stored_format == scheme.id or (stored_format in sixteen and scheme.id in sixteen)


def _stored_part(tensor: StoredTensor, scheme: Scheme) -> WeightBytes:
    if not scheme.is_quantized:
        return WeightBytes(tensor.bytes, 0, 0)
    if tensor.name.endswith(SCALE_NAMES):
        return WeightBytes(0, tensor.bytes, 0)
    if tensor.dtype.upper() in SIXTEEN_BIT_DTYPES:
        return WeightBytes(0, 0, tensor.bytes)
    return WeightBytes(tensor.bytes, 0, 0)


def matrix_bytes(matrix: Matrix, scheme: Scheme, group_size: int | None) -> WeightBytes:
    """Bytes of all copies of one weight tensor in this scheme."""
    if not scheme.is_quantized:
        return WeightBytes(matrix.parameters * 2, 0, 0)
    if not is_quantized_in(matrix, scheme):
        return WeightBytes(0, 0, matrix.parameters * 2)
    if matrix.is_part_of(scheme.keeps_8_bit):
        return WeightBytes(matrix.parameters, 0, 0)
    whole = (layers for part, layers in scheme.layers_in_16_bit if matrix.is_part_of((part,)))
    left = sum(min(1.0, layers / matrix.copies) for layers in whole)
    return quantized_bytes(matrix, scheme, group_size).times(1 - left) + WeightBytes(0, 0, matrix.parameters * 2 * left)


def is_quantized_in(matrix: Matrix, scheme: Scheme) -> bool:
    """False for what the scheme leaves in 16 bits: by its own list, or because only schemes that say so take it."""
    takes = matrix.quantizable or matrix.is_part_of(scheme.quantizes_too)
    return takes and not matrix.is_part_of(scheme.keeps_16_bit)


def quantized_bytes(matrix: Matrix, scheme: Scheme, group_size: int | None) -> WeightBytes:
    """The quantized weights of all copies with their scales, zeros and whatever is stored once a column or tensor."""
    group = (group_size if scheme.group_size else None) or scheme.group_size or matrix.columns
    groups = matrix.rows * -(-matrix.columns // group)
    overhead_bits = groups * (scheme.scale_bits + scheme.zero_bits) + matrix.columns * scheme.column_bits
    overhead = (overhead_bits / 8 + scheme.tensor_bytes) * matrix.copies
    return WeightBytes(matrix.parameters * scheme.weight_bits / 8, overhead, 0)


def _gguf_bytes(shape: Shape, scheme: Scheme, file_type: str) -> WeightBytes:
    total = NOTHING
    for tensor in gguf_file(shape, file_type):
        if tensor.is_quantized:
            total += WeightBytes(tensor.bytes - tensor.scale_bytes, tensor.scale_bytes, 0)
        else:
            total += WeightBytes(0, 0, tensor.bytes)
    return total if scheme.is_quantized else WeightBytes(total.sixteen_bit, 0, 0)
