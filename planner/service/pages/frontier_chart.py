"""The chart of latency against cost: every feasible way of some plans, and what nothing else beats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from planner.charts import Axis, Chart, Line, Mark, Scatter, draw
from planner.figures import figure, usd
from planner.plan import Plan


@dataclass(frozen=True, slots=True)
class Way:
    """One way to serve, on the chart and in its table; `number` is its plan's, and so its colour's."""

    plan: str
    number: int
    format: str
    tpot_ms: float
    usd_per_1m: float
    chosen: bool

    @property
    def says(self) -> str:
        return f"{self.plan}, {self.format}: {figure(self.tpot_ms)} ms, {usd(self.usd_per_1m)} per 1M output tokens"


def chart(plans: Sequence[Plan], titles: Sequence[str]) -> dict[str, Any] | None:
    """Every feasible way of the plans by latency and cost, drawn and as rows; None with fewer than two."""
    ways = [way for number, plan in enumerate(plans) for way in _ways(plan, titles[number], number)]
    if len(ways) < 2:
        return None
    best = pareto(ways)
    return {
        "svg": draw([_chart(ways, best)]),
        "legend": list(enumerate(titles)),
        "rows": [
            {
                "plan": way.plan,
                "number": way.number,
                "format": way.format,
                "tpot": figure(way.tpot_ms),
                "usd": usd(way.usd_per_1m),
                "on_frontier": way in best,
            }
            for way in ways
        ],
    }


def _chart(ways: Sequence[Way], best: set[Way]) -> Chart:
    frontier = tuple(sorted((way.tpot_ms, way.usd_per_1m) for way in best))
    numbers = dict.fromkeys(way.number for way in ways)
    return Chart(
        says=f"{len(ways)} ways to serve by latency and cost; {len(best)} are beaten by no other on both",
        x=Axis.around("time per output token, ms", [way.tpot_ms for way in ways]),
        y=Axis.around("USD per 1M output tokens", [way.usd_per_1m for way in ways], usd),
        lines=(Line("", frontier, None),),
        scatters=tuple(
            Scatter(tuple(_mark(way, way in best) for way in ways if way.number == number), colour=number)
            for number in numbers
        ),
    )


def _mark(way: Way, is_best: bool) -> Mark:
    label = way.format if way.chosen or is_best else ""
    return Mark(way.tpot_ms, way.usd_per_1m, way.says, chosen=way.chosen, label=label)


def _ways(plan: Plan, title: str, number: int) -> Iterator[Way]:
    chosen = plan.chosen
    tpot_ms = chosen.predicted("tpot_ms").value
    if tpot_ms and chosen.cost and chosen.cost.usd_per_1m_output_tokens:
        yield Way(title, number, chosen.format, tpot_ms, chosen.cost.usd_per_1m_output_tokens, chosen=True)
    for other in plan.alternatives:
        if other.verdict == "feasible" and other.tpot_ms and other.usd_per_1m_output_tokens:
            cost = other.usd_per_1m_output_tokens.value
            yield Way(title, number, other.format, other.tpot_ms.value, cost, chosen=False)


def pareto(ways: Sequence[Way]) -> set[Way]:
    """Those that no other beats on latency and cost both."""
    return {
        way
        for way in ways
        if not any(
            other.tpot_ms <= way.tpot_ms
            and other.usd_per_1m <= way.usd_per_1m
            and (other.tpot_ms, other.usd_per_1m) != (way.tpot_ms, way.usd_per_1m)
            for other in ways
        )
    }
