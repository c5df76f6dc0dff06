"""What a chart shows, in the units of its axes: no pixels, no library."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from planner.figures import figure

Point = tuple[float, float]
Interval = tuple[float, float, float]
Shape = Literal["dot", "speck", "hollow", "ring", "diamond"]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its title with the unit, its ends, and how a value on it is written.

    `tick_every` sets its steps where they are the reader's own (hours of a day); `whole` marks whole numbers only.
    """

    title: str
    low: float
    high: float
    logarithmic: bool = False
    label: Callable[[float], str] = figure
    tick_every: float | None = None
    whole: bool = False

    @classmethod
    def from_zero(cls, title: str, most: float, label: Callable[[float], str] = figure, *, whole: bool = False) -> Axis:
        """From zero to a little above `most`."""
        return cls(title, 0.0, 1.06 * most or 1.0, label=label, whole=whole)

    @classmethod
    def around(cls, title: str, values: Iterable[float], label: Callable[[float], str] = figure) -> Axis:
        """By the logarithm, with room on both sides. Values must be above zero."""
        listed = list(values)
        return cls(title, min(listed) / 1.25, max(listed) * 1.25, logarithmic=True, label=label)


@dataclass(frozen=True, slots=True)
class Mark:
    """A point that says something when pointed at; `label` is written beside it."""

    x: float
    y: float
    says: str = ""
    chosen: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line labelled at its end; `band` is a 90 % interval: (x, low, high) each.

    `colour` numbers the palette; None is a thin quiet line, which only joins marks.
    """

    label: str
    points: tuple[Point, ...]
    colour: int | None = 0
    band: tuple[Interval, ...] = ()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Scatter:
    """Marks of one shape; `label` is its line in the legend, `colour` None is a quiet grey."""

    marks: tuple[Mark, ...]
    shape: Shape = "dot"
    colour: int | None = 0
    label: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines and scattered marks between two axes; `says` is the whole chart in words; sizes are in pixels."""

    says: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...] = ()
    scatters: tuple[Scatter, ...] = ()
    upright: tuple[float, str] | None = None
    width: int = 720
    height: int = 360

    @property
    def has_legend(self) -> bool:
        return any(scatter.label for scatter in self.scatters)


def short_usd(value: float) -> str:
    """Dollars for an axis: `$12k`, `$1.5M`."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"${value / size:g}{unit}"
    return f"${value:g}"
