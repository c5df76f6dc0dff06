"""Bytes of a GGUF file without listing its tensors one by one: identical tensors of all layers are counted together.

Types come from the same functions as the full list (`planner.memory.gguf_mix`); only value and down projections, and
only in the mixed file types (`BASE_TYPES`), depend on a tensor's position.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from planner.fits.arrays import Flags, Ints
from planner.memory.gguf_codebooks import VALUE_CATEGORIES
from planner.memory.gguf_mix import (
    BASE_TYPES,
    GgufTensor,
    Mix,
    fallback_type,
    ggml_types,
    mix_of,
    wanted_type,
)
from planner.memory.gguf_tensors import DELTA_INPUTS, NO_LAYER, GgmlSource, is_converted, tensors_of
from planner.memory.layer_kinds import layers_of
from planner.memory.llama_cpp import is_looked_up, repacked_end, repacked_types
from planner.models.shape import Matrix, Shape
from planner.schemes import Scheme

DOWN_CATEGORY = "ffn_down"
LATENT_PROJECTION = "kv_b_proj"
SPLIT_IN_TWO = frozenset({LATENT_PROJECTION, DELTA_INPUTS})


@dataclass(frozen=True, slots=True)
class GgufSizes:
    """Bytes of the file; of the embeddings; and on a CPU of what is copied and of what is unmapped again."""

    total: int
    looked_up: int
    copied: int = 0
    unmapped: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """The same tensor of several layers: its first one, and the layers it stands in."""

    first: GgmlSource
    layers: Sequence[int]

    @property
    def part(self) -> str:
        """The name without its layer."""
        return self.first.name.removeprefix(f"blk.{self.first.layer}.")

    @property
    def is_value(self) -> bool:
        return self.first.category in VALUE_CATEGORIES

    @property
    def has_positions(self) -> bool:
        return not self.first.stays_f32 and (self.is_value or self.first.category == DOWN_CATEGORY)


@dataclass(frozen=True, slots=True)
class Alike:
    """Tensors of one category and row length: one of them, their elements, and how many of these stand where."""

    first: GgmlSource
    elements: int
    places: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class GgufFile:
    """The file one model would have, in any format."""

    shape: Shape

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        matrices = (matrix for matrix in self.shape.matrices if is_converted(matrix))
        return tuple(group for matrix in matrices for group in _groups(matrix, self.shape))

    @cached_property
    def positions(self) -> dict[int, list[int]]:
        """For each group whose types depend on them: its tensors' positions among those of their category."""
        found: dict[int, list[int]] = {n: [] for n, group in enumerate(self.groups) if group.has_positions}
        for is_value in (True, False):
            members = [
                (layer, self.groups[n].part, n)
                for n in found
                if self.groups[n].is_value == is_value
                for layer in self.groups[n].layers
            ]
            for position, (layer, _, n) in enumerate(sorted(members)):
                by_layer = self._has_experts and not is_value
                found[n].append(layer if by_layer else position)
        return found

    @cached_property
    def _has_experts(self) -> bool:
        return max((layers.experts for layers in self.shape.experts), default=0) > 1

    @cached_property
    def _values(self) -> tuple[GgmlSource, ...]:
        return tuple(group.first for group in self.groups if group.is_value for _ in group.layers)

    @cached_property
    def alike(self) -> tuple[Alike, ...]:
        """Groups that differ in their number of rows only, taken together; those with positions by what they decide."""
        together: dict[tuple[str, int, bool, bool], Alike] = {}
        apart: list[Alike] = []
        for n, group in enumerate(self.groups):
            first, elements = group.first, group.first.rows * group.first.columns * len(group.layers)
            if group.has_positions:
                each = elements // len(group.layers)
                like = like_positions(tuple(self.positions[n]), self.shape.layer_count, len(self._values))
                apart.append(Alike(first, elements, tuple((position, count * each) for position, count in like)))
                continue
            key = (first.category, first.columns, first.stays_f32, is_looked_up(first))
            elements += together[key].elements if key in together else 0
            together[key] = Alike(first, elements, ((0, elements),))
        return (*together.values(), *apart)

    def mix(self, ggml: str) -> Mix:
        return replace(self._mix, file_type=ggml, base=BASE_TYPES.get(ggml, ggml))

    @cached_property
    def _mix(self) -> Mix:
        return mix_of(self.shape, "BF16", self._values)

    def sizes(self, scheme: Scheme, instruction_sets: tuple[str, ...] | None = None) -> GgufSizes:
        """The sizes in this scheme; with the instruction sets of a CPU, also what it copies and unmaps."""
        total = looked_up = copied = 0
        repacked = repacked_types(instruction_sets) if instruction_sets is not None else frozenset()
        mix, types = self.mix(scheme.ggml or ""), ggml_types()
        for alike in self.alike:
            is_row_read = is_looked_up(alike.first)
            for position, elements in alike.places if mix.file_type in BASE_TYPES else ((0, alike.elements),):
                name = final_type(alike.first, mix, position)
                kind = types[name]
                held = elements // kind.block * kind.bytes
                total += held
                if is_row_read:
                    looked_up += held
                elif name in repacked:
                    copied += held
        edges = [edge for group in self.groups for edge in self._at_the_edges(group, mix)] if repacked else []
        unmapped = _unmapped(edges, repacked)
        return GgufSizes(total, looked_up, copied, unmapped)

    def _at_the_edges(self, group: Group, mix: Mix) -> Iterator[tuple[int, GgufTensor]]:
        """The group's tensor of no layer, or of the last layer."""
        if group.layers[-1] in (NO_LAYER, self.shape.layer_count - 1):
            last = self.positions[self.groups.index(group)][-1] if group.has_positions else 0
            name = final_type(group.first, mix, last)
            yield group.layers[-1], GgufTensor(group.part, name, tensor_bytes(group.first, name), 0)


def final_type(source: GgmlSource, mix: Mix, position: int) -> str:
    """The type of one tensor at that position among those of its category."""
    if source.stays_f32:
        return "F32"
    return "BF16" if mix.base == "BF16" else fallback_type(wanted_type(source, mix, position), source.columns)


@lru_cache(maxsize=1024)
def like_positions(positions: tuple[int, ...], layers: int, values: int) -> tuple[tuple[int, int], ...]:
    """One position for each kind that llama.cpp tells apart, with the number of tensors of that kind.

    Told apart are the first few, the first sixteenth and eighth, and every third (`planner.memory.gguf_mix`).
    """
    place = np.array(positions, dtype=np.int64)
    kinds = np.zeros(len(place), dtype=np.int64)
    tests = [place < 2, place < 4, place < layers // 16, place < layers // 8]
    for test in (*tests, _more_bits(place, layers), _more_bits(place, values)):
        kinds = 2 * kinds + test
    _, first, counts = np.unique(kinds, return_index=True, return_counts=True)
    return tuple((int(place[n]), int(count)) for n, count in zip(first, counts, strict=True))


def _more_bits(place: Ints, count: int) -> Flags:
    eighth = count // 8
    found: Flags = (place < eighth) | (place >= 7 * count // 8) | ((place - eighth) % 3 == 2)
    return found


def tensor_bytes(source: GgmlSource, type_name: str) -> int:
    """Bytes of one tensor in that type."""
    kind = ggml_types()[type_name]
    return source.rows * source.columns // kind.block * kind.bytes


def _groups(matrix: Matrix, shape: Shape) -> Iterator[Group]:
    """The tensors of one entry of the shape; MLA's split projection and a delta net's inputs are two groups."""
    tensors = tensors_of(matrix, shape)
    first = next(tensors)
    layers = _layers(matrix, shape, first.layer)
    yield Group(first, layers)
    if matrix.role in SPLIT_IN_TWO:
        yield Group(next(tensors), layers)


def _layers(matrix: Matrix, shape: Shape, first: int) -> Sequence[int]:
    if first == NO_LAYER:
        return (NO_LAYER,)
    if matrix.role == LATENT_PROJECTION:
        return range(matrix.copies)
    if matrix.component == "experts" and matrix.role.startswith("expert_"):
        return range(first, first + matrix.copies // shape.experts[0].experts)
    return sorted(layers_of(matrix, shape))


def _unmapped(edges: list[tuple[int, GgufTensor]], repacked: frozenset[str]) -> int:
    """What a CPU unmaps at the ends of the file: tensors that are repacked before the first that is not."""
    tensors = [tensor for _, tensor in sorted(edges, key=lambda edge: (edge[0], edge[1].name))]
    copied = frozenset(tensor for tensor in tensors if tensor.type in repacked and not is_looked_up(tensor))
    return sum(tensor.bytes for tensor in (*repacked_end(tensors, copied), *repacked_end(tensors[::-1], copied)))
