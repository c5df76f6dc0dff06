"""Which layers of a model are of which kind, where its shape only counts them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from planner.models.shape import Matrix, Shape

Kinds = tuple[tuple[frozenset[int], ...], tuple[frozenset[int], ...]]


@lru_cache(maxsize=256)
def layers_by_kind(shape: Shape) -> Kinds:
    """Which layers are of each kind that owns a cache, and of each recurrent kind.

    A shape counts kinds; the rarer one stands at the end of each period (Gemma 3: every sixth layer, Qwen3-Next: every
    fourth), and layers that read another's cache come last.
    """
    reading = sum(layers.count for layers in shape.attention if not layers.owns_kv)
    owning = [layers.count for layers in shape.attention if layers.owns_kv]
    counts = [*owning, *(layers.count for layers in shape.recurrent)]
    total = max(shape.layer_count - reading, 1)
    found = _dealt_out(counts, total) if sum(counts) <= total else [_spread(range(total), count) for count in counts]
    return tuple(found[: len(owning)]), tuple(found[len(owning) :])


def _dealt_out(counts: Sequence[int], layer_count: int) -> list[frozenset[int]]:
    """Each layer to one kind, the rarest kinds first."""
    free, found = list(range(layer_count)), [frozenset[int]()] * len(counts)
    for kind in sorted(range(len(counts)), key=lambda kind: counts[kind]):
        found[kind] = _spread(free, counts[kind])
        free = [layer for layer in free if layer not in found[kind]]
    return found


def _spread(layers: Sequence[int], count: int) -> frozenset[int]:
    """`count` of the layers, at the end of each period."""
    if not count:
        return frozenset()
    period = max(len(layers) // count, 1)
    return frozenset(layers[period - 1 :: period][:count])


def layers_of(matrix: Matrix, shape: Shape) -> tuple[int, ...]:
    """The layers that hold a copy of a tensor, first to last: those of its kind, where it is not in all of them."""
    everywhere = tuple(copy % shape.layer_count for copy in range(matrix.copies))
    if matrix.component not in ("attention", "recurrent") or matrix.copies >= shape.layer_count:
        return everywhere
    owning, recurrent = layers_by_kind(shape)
    groups = owning if matrix.component == "attention" else recurrent
    kinds = (*groups, frozenset[int]().union(*groups))
    return next((tuple(sorted(which)) for which in kinds if len(which) == matrix.copies), everywhere)
