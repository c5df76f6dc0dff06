"""The weight formats the planner knows: what a stored weight costs in each, and what makes and serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, cast

from planner.catalog import load_yaml
from planner.errors import BadInput, nearest
from rules.vocabulary import FormatId, Width

Activation = Literal["16-bit", "fp8", "int8", "fp4"]


@dataclass(frozen=True, slots=True)
class Scheme:
    """One weight format, as `planner/catalog/schemes.yaml` states it (its header says what each field means)."""

    id: FormatId
    name: str
    width: Width
    weight_bits: float
    activation: Activation
    needs_calibration: bool
    keeps_16_bit: tuple[str, ...]
    source: str
    as_of: str
    group_size: int | None = None
    scale_bits: float = 0
    zero_bits: float = 0
    column_bits: float = 0
    tensor_bytes: int = 0
    keeps_8_bit: tuple[str, ...] = ()
    quantizes_too: tuple[str, ...] = ()
    layers_in_16_bit: tuple[tuple[str, int], ...] = ()
    head_bits: float = 16
    ggml: str | None = None
    tool: str | None = None
    engine_flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def __hash__(self) -> int:
        """Schemes are keys of what is worked out once; those of one id are few."""
        return hash(self.id)

    @property
    def is_quantized(self) -> bool:
        return self.weight_bits < 16

    def bits_per_weight(self, group_size: int | None = None) -> float:
        """Bits of one weight of a grouped scheme with its share of scale and zero point (A.concept.formula)."""
        group = group_size or self.group_size
        return self.weight_bits + (self.scale_bits + self.zero_bits) / group if group else self.weight_bits


@lru_cache
def load_schemes() -> Mapping[str, Scheme]:
    """All schemes by id, in the order of the catalogue."""
    content = load_yaml("schemes.yaml")
    shared = {**content["defaults"], "as_of": str(content["as_of"])}
    return MappingProxyType({id: _scheme(id, {**shared, **entry}) for id, entry in content["schemes"].items()})


def scheme(format_id: str) -> Scheme:
    """The scheme of that id. BadInput with the nearest ids when there is none."""
    try:
        return load_schemes()[format_id]
    except KeyError:
        known = load_schemes()
        raise BadInput(
            f"no weight format is called {format_id!r}",
            nearest=nearest(format_id, known),
            fix=f"use one of: {', '.join(known)}",
        ) from None


def _scheme(id: str, entry: Mapping[str, Any]) -> Scheme:
    known = {f.name for f in fields(Scheme)}
    unknown = sorted(set(entry) - known)
    if unknown:
        raise BadInput(
            f"unknown key {unknown[0]!r} in scheme {id}", where="schemes.yaml", nearest=nearest(unknown[0], known)
        )
    flags = {engine: tuple(words) for engine, words in entry.get("engine_flags", {}).items()}
    values = {**entry, "keeps_16_bit": tuple(entry["keeps_16_bit"]), "engine_flags": flags}
    return Scheme(id=cast(FormatId, id), **values)
