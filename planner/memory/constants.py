"""Reads the constants of an engine's memory accounting, by version of the engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from planner.catalog import load_yaml

NEWEST = (9999,)


def engine_constants(engine: str) -> Mapping[str, Any]:
    """All constants of one engine (`planner/catalog/memory_constants.yaml`)."""
    constants: Mapping[str, Any] = load_yaml("memory_constants.yaml")[engine]
    return constants


@cache
def version_constants(engine: str, version: str | None) -> Mapping[str, Any]:
    """The constants of one version of an engine; those of the newest where the version is unknown."""
    wanted = version_number(version)
    entries = engine_constants(engine)["versions"]
    found: Mapping[str, Any] = next(
        (e for e in entries if version_number(e["versions"][0]) <= wanted < version_number(e["versions"][1])),
        entries[-1],
    )
    return found


@cache
def version_number(version: str | None) -> tuple[int, ...]:
    """`0.10.2` -> (0, 10, 2); an unreadable version counts as the newest."""
    found = re.match(r"\d+(\.\d+)*", version or "")
    return tuple(int(part) for part in found.group().split(".")) if found else NEWEST
