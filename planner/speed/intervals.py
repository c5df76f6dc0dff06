"""90 % intervals of predictions, by slice: the narrowest slice with enough residuals speaks (conformal, as data)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol

from planner.catalog import load_yaml

FILE = "speed_intervals.yaml"


class Levels(Protocol):
    """What residuals are sliced by."""

    @property
    def engine(self) -> str: ...
    @property
    def kernel(self) -> str: ...
    @property
    def gpu_class(self) -> str: ...


def slice_names(figure: str, mode: str, engine: str, kernel: str, gpu_class: str) -> tuple[str, ...]:
    """Names of the slices a prediction belongs to, narrowest first."""
    whole = f"{mode} {figure}"
    return (
        f"{whole} {engine} {kernel} {gpu_class}",
        f"{whole} {engine} {kernel}",
        f"{whole} {kernel} {gpu_class}",
        f"{whole} {engine}",
        whole,
    )


def interval_of(named: Levels, figure: str, mode: str, guessed: bool) -> tuple[float, float, str]:
    """Multipliers of a prediction that hold 90 % of measurements, and the slice they come from.

    A combination nobody measured takes a wider slice's, widened; a guessed architecture widens it again.
    """
    content = load_yaml(FILE)
    names = slice_names(figure, mode, named.engine, named.kernel, named.gpu_class)
    slices: Mapping[str, Any] = content["slices"]
    at = next((i for i, name in enumerate(names) if name in slices), None)
    low, high = _bounds(names[at]) if at is not None else (float(b) for b in content["unmeasured"][figure])
    source = "datasheet bound" if at is None else names[at]
    widening = (1.0 if at == 0 else content["borrowed_widening"]) * (content["guessed_widening"] if guessed else 1.0)
    return low**widening, high**widening, source


@lru_cache(maxsize=1024)
def _bounds(name: str) -> tuple[float, float]:
    found = load_yaml(FILE)["slices"][name]
    return float(found["low"]), float(found["high"])
