"""What a sweep is over (models, and what engines offer on this hardware) and the columns it fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

from planner.fits.arrays import Flags, Floats, Ints
from planner.fits.settings import kv_formats
from planner.fits.weights import WeightTable
from planner.hardware.hardware import Hardware
from planner.models.model import Model
from planner.models.shape import Shape
from planner.schemes import load_schemes
from planner.support import Kernel, engines, kernel_for
from rules.vocabulary import EngineId, FormatId, KvFormat

LARGEST_LAYOUT = 64
FLEETS_KEPT = 8


@dataclass(frozen=True, slots=True)
class Offer:
    """A format that an engine has a kernel for here, with one kind of KV cache."""

    format: FormatId
    engine: EngineId
    kv_format: KvFormat
    kernel: Kernel


@dataclass(frozen=True, eq=False, slots=True)
class Columns:
    """One entry a candidate, all of equal length. Bytes are per accelerator; `users` is NaN where nothing is cached.

    `place` numbers the kinds of hardware that were swept together.
    """

    model: Ints
    offer: Ints
    tensor_parallel: Ints
    replicas: Ints
    weight_bytes: Floats
    pool_bytes: Floats
    free_bytes: Floats
    users: Floats
    longest_context: Ints
    place: Ints

    def __len__(self) -> int:
        return len(self.model)

    @property
    def fits(self) -> Flags:
        return self.free_bytes >= 0

    def rows(self, chosen: Ints | Flags) -> Columns:
        return Columns(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Fleet:
    """The models of one sweep."""

    models: tuple[Model, ...]

    @cached_property
    def table(self) -> WeightTable:
        return WeightTable(self.shapes)

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        return tuple(model.shape for model in self.models)


def fleet_of(models: Sequence[Model]) -> Fleet:
    """The fleet of these very models: the same object while it is asked for, for it keeps what their weights take."""
    key = tuple(map(id, models))
    fleet = _FLEETS.get(key) or Fleet(tuple(models))
    _FLEETS[key] = fleet  # it holds its models, so that none of these ids can become another's
    while len(_FLEETS) > FLEETS_KEPT:
        _FLEETS.pop(next(iter(_FLEETS)), None)
    return fleet


_FLEETS: dict[tuple[int, ...], Fleet] = {}


def offers(hardware: Hardware) -> tuple[Offer, ...]:
    """What the engines can run on this hardware."""
    return tuple(
        Offer(format, engine, kv_format, kernel)
        for engine in engines()
        for format in (entry.id for entry in load_schemes().values())
        if (kernel := kernel_for(engine, format, hardware))
        for kv_format in kv_formats(engine)
    )


def layout_sizes(count: int) -> tuple[int, ...]:
    """Tensor-parallel sizes to try: powers of two, and all accelerators together."""
    most = min(max(count, 1), LARGEST_LAYOUT)
    return tuple(sorted({2**n for n in range(most.bit_length())} | {most}))
