"""Reads `planner/catalog/fits.yaml`: what is swept over, and the order of preference."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from planner.catalog import load_yaml
from rules.vocabulary import EngineId, FormatId, KvFormat


def settings() -> Mapping[str, Any]:
    return cast(Mapping[str, Any], load_yaml("fits.yaml"))


def kv_formats(engine: EngineId) -> tuple[KvFormat, ...]:
    """The kinds of KV cache the engine offers, its default first."""
    return tuple(settings()["kv_formats"][engine]["formats"])


def is_server(engine: EngineId) -> bool:
    """Whether the engine batches requests continuously."""
    return engine in settings()["servers"]


@cache
def quality_tiers() -> dict[FormatId, tuple[int, int]]:
    """Each format's tier (0 loses nothing) and its place inside the tier."""
    tiers: list[list[FormatId]] = settings()["quality_order"]
    return {format: (tier, place) for tier, formats in enumerate(tiers) for place, format in enumerate(formats)}


def accelerator_counts() -> tuple[int, ...]:
    """How many accelerators of each type are tried for one model."""
    return tuple(settings()["counts"])
