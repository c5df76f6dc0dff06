"""90 % intervals of predictions, by slice: the narrowest slice with enough residuals speaks (conformal, as data)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from planner.catalog import load_yaml

FILE = "speed_intervals.yaml"


class Levels(Protocol):
    """What residuals are sliced by. `familiar`: the fit has seen the architecture and the GPU type."""

    @property
    def engine(self) -> str: ...
    @property
    def kernel(self) -> str: ...
    @property
    def gpu_class(self) -> str: ...
    @property
    def familiar(self) -> bool: ...


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

    What the fit has seen takes its slice's residuals in random folds; a combination nobody measured takes a wider
    slice's, widened. An architecture or a GPU type that the fit has not seen may be unlike its slice: its interval
    holds the residuals of what was held out so, of its slice and of all slices. A guessed architecture widens it more.
    """
    content = load_yaml(FILE)
    slices: Mapping[str, Mapping[str, float]] = content["slices" if named.familiar else "unfamiliar"]
    names = slice_names(figure, mode, named.engine, named.kernel, named.gpu_class)
    guess = float(content["guessed_widening"]) if guessed else 1.0
    speaking = next((name for name in names if name in slices), None)
    if speaking is None:
        low, high = content["unmeasured"][figure]
        return low**guess, high**guess, "datasheet bound"
    found = slices[speaking]
    if named.familiar:
        widening = guess * (1.0 if speaking == names[0] else float(content["borrowed_widening"]))
        return found["low"] ** widening, found["high"] ** widening, speaking
    whole = slices[names[-1]]
    return min(found["low"], whole["low"]) ** guess, max(found["high"], whole["high"]) ** guess, speaking
