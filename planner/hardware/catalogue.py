"""The accelerators quantplan knows by name: a line each in `catalog/gpus.csv`, every figure sourced."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import cast

from planner.errors import nearest
from planner.hardware.hardware import Accelerator, Interconnect, Vendor

VENDOR_WORDS = ("nvidia", "geforce", "tesla", "instinct")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the catalogue: the accelerator, other spellings of it, and short names that are taken to mean it."""

    accelerator: Accelerator
    aliases: tuple[str, ...]
    assumed_for: tuple[str, ...]


@lru_cache(maxsize=4096)
def spelling_key(name: str) -> str:
    """What remains of a name when case, separators and the maker's name are ignored: `NVIDIA L40S` -> `l40s`."""
    bare = name.lower()
    for word in VENDOR_WORDS:
        bare = bare.replace(word, "")
    return re.sub(r"[^a-z0-9+]", "", bare)


@cache
def entries() -> tuple[Entry, ...]:
    """All lines of the catalogue, in file order."""
    text = files("planner").joinpath("catalog/gpus.csv").read_text(encoding="utf-8")
    return tuple(_entry(row) for row in csv.DictReader(text.splitlines()))


def known_accelerators() -> tuple[Accelerator, ...]:
    """Every accelerator of the catalogue."""
    return tuple(e.accelerator for e in entries())


def find_entry(name: str) -> Entry | None:
    """The line a name, alias or short name means, however it is spelled; None when there is none."""
    return _by_spelling().get(spelling_key(name))


def find_accelerator(name: str) -> Accelerator | None:
    """The accelerator of that name, alias or short name; None when the catalogue has none."""
    entry = find_entry(name)
    return entry.accelerator if entry else None


def is_assumption(name: str, entry: Entry) -> bool:
    """True when `name` is a short name that could mean other cards too."""
    return spelling_key(name) in map(spelling_key, entry.assumed_for)


def variants(name: str) -> tuple[str, ...]:
    """The catalogue names a short name could mean: those whose spelling begins with it."""
    key = spelling_key(name)
    return tuple(a.name for a in known_accelerators() if spelling_key(a.name).startswith(key))


def similar_names(name: str, count: int = 3) -> tuple[str, ...]:
    """Catalogue names most like `name` (compared by name and alias), best first."""
    spellings = _by_spelling()
    found = (spellings[key].accelerator.name for key in nearest(spelling_key(name), spellings, 3 * count))
    return tuple(dict.fromkeys(found))[:count]


@cache
def _by_spelling() -> Mapping[str, Entry]:
    return {
        spelling_key(name): entry
        for entry in entries()
        for name in (entry.accelerator.name, *entry.aliases, *entry.assumed_for)
    }


def _entry(row: Mapping[str, str]) -> Entry:
    return Entry(_accelerator(row), _names(row["aliases"]), _names(row["assumed_for"]))


def _names(cell: str) -> tuple[str, ...]:
    return tuple(name for name in cell.split(";") if name)


def _accelerator(row: Mapping[str, str]) -> Accelerator:
    return Accelerator(
        name=row["name"],
        vendor=cast(Vendor, row["vendor"]),
        architecture=row["architecture"],
        memory_gb=float(row["memory_gb"]),
        memory_gib=float(row["memory_gib"]),
        bandwidth_gb_s=float(row["bandwidth_gb_s"]),
        fp16_tflops=float(row["fp16_tflops"]),
        source=row["source"],
        compute_capability=_figure(row["compute_capability"]),
        fp8_tflops=_figure(row["fp8_tflops"]),
        int8_tops=_figure(row["int8_tops"]),
        fp4_tflops=_figure(row["fp4_tflops"]),
        interconnect=cast(Interconnect, row["interconnect"]),
        link_gb_s=_figure(row["link_gb_s"]),
        tdp_watts=_figure(row["tdp_watts"]),
        unified_memory=row["unified_memory"] == "yes",
        memory_source=row["memory_source"],
        note=row["note"],
    )


def _figure(cell: str) -> float | None:
    return float(cell) if cell else None
