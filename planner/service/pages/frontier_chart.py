"""The chart of latency against cost: every feasible way of some plans, and what nothing else beats."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from planner.figures import figure, usd
from planner.plan import Plan

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760.0, 360.0, 70.0, 640.0, 28.0, 312.0
COLOURS = (1, 3, 4, 6, 7, 5)


@dataclass(frozen=True, slots=True)
class Dot:
    """One way to serve, on the chart and in its table."""

    plan: str
    format: str
    tpot_ms: float
    usd_per_1m: float
    colour: int
    chosen: bool


def chart(plans: Sequence[Plan], titles: Sequence[str]) -> dict[str, Any] | None:
    """Every feasible way of the plans by latency and cost, on logarithmic axes; None with fewer than two."""
    dots = [dot for index, plan in enumerate(plans) for dot in _dots(plan, titles[index], _colour(index))]
    if len(dots) < 2:
        return None
    frontier = pareto(dots)
    x, y = _Scale.over([d.tpot_ms for d in dots], LEFT, RIGHT), _Scale.over([d.usd_per_1m for d in dots], BOTTOM, TOP)
    best = sorted(frontier, key=lambda dot: dot.tpot_ms)
    return {
        "width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "bottom": BOTTOM,
        "says": f"{len(dots)} ways to serve by latency and cost; {len(best)} are beaten by no other on both",
        "x_ticks": [{"at": round(x.at(v), 1), "label": figure(v)} for v in x.ticks()],
        "y_ticks": [{"at": round(y.at(v), 1), "label": usd(v)} for v in y.ticks()],
        "frontier": " ".join(f"{x.at(d.tpot_ms):.1f},{y.at(d.usd_per_1m):.1f}" for d in best),
        "legend": [{"title": title, "colour": _colour(index)} for index, title in enumerate(titles)],
        "dots": [_drawn(dot, x, y, on_frontier=dot in frontier) for dot in dots],
    }  # fmt: skip


def _colour(index: int) -> int:
    """The colour of a plan: neighbours are easily told apart."""
    return COLOURS[index % len(COLOURS)]


def _dots(plan: Plan, title: str, colour: int) -> Iterator[Dot]:
    chosen = plan.chosen
    tpot_ms = chosen.predicted("tpot_ms").value
    if tpot_ms and chosen.cost and chosen.cost.usd_per_1m_output_tokens:
        yield Dot(title, chosen.format, tpot_ms, chosen.cost.usd_per_1m_output_tokens, colour, chosen=True)
    for other in plan.alternatives:
        if other.verdict == "feasible" and other.tpot_ms and other.usd_per_1m_output_tokens:
            cost = other.usd_per_1m_output_tokens.value
            yield Dot(title, other.format, other.tpot_ms.value, cost, colour, chosen=False)


def pareto(dots: Sequence[Dot]) -> set[Dot]:
    """Those that no other beats on latency and cost both."""
    return {
        dot
        for dot in dots
        if not any(
            other.tpot_ms <= dot.tpot_ms
            and other.usd_per_1m <= dot.usd_per_1m
            and (other.tpot_ms, other.usd_per_1m) != (dot.tpot_ms, dot.usd_per_1m)
            for other in dots
        )
    }


def _drawn(dot: Dot, x: _Scale, y: _Scale, *, on_frontier: bool) -> dict[str, Any]:
    return {
        "plan": dot.plan,
        "format": dot.format,
        "tpot": figure(dot.tpot_ms),
        "usd": usd(dot.usd_per_1m),
        "colour": dot.colour,
        "chosen": dot.chosen,
        "on_frontier": on_frontier,
        "x": round(x.at(dot.tpot_ms), 1),
        "y": round(y.at(dot.usd_per_1m), 1),
        "label": dot.format if dot.chosen or on_frontier else "",
        "says": f"{dot.plan}, {dot.format}: {figure(dot.tpot_ms)} ms, {usd(dot.usd_per_1m)} per 1M output tokens",
    }


@dataclass(frozen=True, slots=True)
class _Scale:
    """A logarithmic axis from `low` at `start` to `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> _Scale:
        return cls(min(values) / 1.15, max(values) * 1.15, start, end)

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> Iterator[float]:
        """1, 2 and 5 of every decade within the axis."""
        decade = 10.0 ** math.floor(math.log10(self.low))
        while decade <= self.high:
            yield from (decade * step for step in (1, 2, 5) if self.low <= decade * step <= self.high)
            decade *= 10
