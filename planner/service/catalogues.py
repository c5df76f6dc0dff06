"""What the planner believes, as plain lines: models, accelerators and prices, each with its source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Any

Line = dict[str, Any]


def matching(lines: list[Line], wanted: str) -> list[Line]:
    """The lines whose name contains what is wanted."""
    return [line for line in lines if wanted.lower() in line["name"].lower()] if wanted else lines


@cache
def model_lines() -> list[Line]:
    """Every model of the catalogue."""
    from planner.models.catalogue import entries, model_of

    return [_model(entry.name, model_of(entry)) for entry in entries()]


def _model(name: str, known: Any) -> Line:
    shape = known.shape
    return {
        "name": name,
        "family": shape.family,
        "parameters": shape.parameters,
        "active_parameters": shape.active_parameters,
        "layer_count": shape.layer_count,
        "max_context_tokens": shape.max_context_tokens,
        "stored_format": known.stored_format,
        "source": known.source,
    }


@cache
def gpu_lines() -> list[Line]:
    """Every accelerator of the catalogue."""
    from planner.hardware.catalogue import entries

    return [asdict(entry.accelerator) for entry in entries()]


@cache
def price_lines() -> list[Line]:
    """Every dated price."""
    from planner.prices import table

    return [asdict(line) for line in table.price_lines()]


CATALOGUES: dict[str, Callable[[], list[Line]]] = {"models": model_lines, "gpus": gpu_lines, "prices": price_lines}
