"""How each tool quantizes, as data: what it holds at once and how long it takes (planner/catalog/quantizing.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from planner.catalog import load_yaml
from planner.errors import BadInput, nearest


@dataclass(frozen=True, slots=True)
class Way:
    """One way of one tool; the header of quantizing.yaml says what each field means."""

    tool: str
    way: str
    formats: tuple[str, ...]
    source: str
    rows: int
    host_error: tuple[float, float]
    gpu_error: tuple[float, float] = (1.0, 1.0)
    host: Mapping[str, float] = field(default_factory=dict)
    mapped: float = 0.0
    worker: Mapping[str, float] = field(default_factory=dict)
    on_gpu: Mapping[str, float] = field(default_factory=dict)
    streams: Mapping[str, float] | None = None
    gpu: Mapping[str, Any] | None = None
    cpu: Mapping[str, Any] | None = None


@cache
def ways() -> tuple[Way, ...]:
    """Every way of every tool, in the order of the catalogue."""
    known = {f.name for f in fields(Way)}
    found = []
    for tool, entries in load_yaml("quantizing.yaml")["tools"].items():
        for entry in entries:
            if unknown := sorted(set(entry) - known):
                raise BadInput(f"unknown key {unknown[0]!r} of {tool}", where="quantizing.yaml")
            found.append(_way(tool, entry))
    return tuple(found)


def _way(tool: str, entry: Mapping[str, Any]) -> Way:
    errors = {name: tuple(entry[name]) for name in ("host_error", "gpu_error") if name in entry}
    return Way(tool=tool, **{**entry, "formats": tuple(entry["formats"]), **errors})


def is_known(tool: str, format_id: str) -> bool:
    """Whether it is known what that tool takes to make that format."""
    return any(way.tool == tool and format_id in way.formats for way in ways())


def way_of(tool: str, format_id: str) -> Way:
    """How that tool makes that format. BadInput with the nearest tool, or with what the tool does make."""
    known = dict.fromkeys(way.tool for way in ways())
    if tool not in known:
        raise BadInput(
            f"no quantizing tool is called {tool!r}",
            nearest=nearest(tool, known),
            fix=f"use one of: {', '.join(known)}",
        )
    for way in ways():
        if way.tool == tool and format_id in way.formats:
            return way
    makers = dict.fromkeys(way.tool for way in ways() if format_id in way.formats)
    fix = f"use --tool {' or '.join(makers)}" if makers else "16-bit weights need no quantizing; choose another format"
    raise BadInput(f"{tool} does not make {format_id}", fix=fix)
