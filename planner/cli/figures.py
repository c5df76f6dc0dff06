"""Numbers as people read them: three significant figures, thousands apart, unknown said as a dash."""

from __future__ import annotations

from typing import Protocol

from planner.units import GIB, MIB

UNKNOWN = "-"
SMALLEST_GIB = 0.1


class Ranged(Protocol):
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def figure(value: float | None) -> str:
    """Three significant figures; whole numbers from a hundred on."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def memory(gib: float | None) -> str:
    """GiB, or MiB where that reads better."""
    if gib is None:
        return UNKNOWN
    return f"{figure(gib)} GiB" if abs(gib) >= SMALLEST_GIB or gib == 0 else f"{figure(gib * GIB / MIB)} MiB"


def usd(value: float | None) -> str:
    """US dollars: cents from ten dollars on, three significant figures below."""
    if value is None:
        return UNKNOWN
    return f"${value:,.0f}" if value >= 1000 else f"${value:,.2f}" if value >= 1 else f"${value:.3g}"


def interval(prediction: Ranged) -> str:
    """The 90 % interval, in brackets."""
    if prediction.low is None or prediction.high is None:
        return ""
    return f"({figure(prediction.low)} to {figure(prediction.high)})"
