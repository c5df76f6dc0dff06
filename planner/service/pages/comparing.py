"""The page of plans side by side, and the frontier of latency against cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from planner.figures import NAMES, figure, interval, usd, with_unit
from planner.figures import memory as memory_text
from planner.plan import Candidate, Plan
from planner.service.access import Reader
from planner.service.pages.rendering import render
from planner.service.parts import Parts, Service

router = APIRouter(include_in_schema=False)
HERE = "/compare"
MOST = 6
RECENT = 25
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760.0, 360.0, 70.0, 640.0, 28.0, 312.0
SPLIT = "accelerators a copy x copies"
LESS_IS_BETTER = ("ttft_ms", "tpot_ms", "usd_per_1m_output_tokens")
FIGURES = ("ttft_ms", "tpot_ms", "output_tokens_per_s", "usd_per_1m_output_tokens")
Digests = Annotated[list[Annotated[str, Query(pattern=r"^[0-9a-f]{64}$")]], Query(max_length=MOST)]


@dataclass(frozen=True, slots=True)
class Dot:
    """One way to serve, on the chart and in its table."""

    plan: str
    format: str
    tpot_ms: float
    usd_per_1m: float
    colour: int
    chosen: bool


@router.get(HERE)
def compare(service: Service, asks: Reader, plan: Digests = []) -> HTMLResponse:  # noqa: B006 (FastAPI copies it)
    """Plans side by side."""
    plans = [found for digest in plan if (found := plan_of(service, digest))]
    titles = [f"{p.model.name} on {p.hardware.label}" for p in plans]
    return render(
        "compare.html.j2",
        HERE,
        plans=[{"title": title} for title in titles],
        lines=list(lines(plans)),
        chart=chart(plans, titles),
        recent=recent(service),
        selected=plan,
        query=urlencode([("plan", digest) for digest in plan]),
    )


def plan_of(service: Parts, digest: str) -> Plan | None:
    """A plan made here; None where it is unknown."""
    body = service.plans.body(f"sha256:{digest}")
    return Plan.model_validate_json(body) if body else None


def recent(service: Parts) -> list[dict[str, str]]:
    """The newest plans, to choose from."""
    return [
        {
            "digest": line.digest.removeprefix("sha256:"),
            "model": line.model,
            "hardware": line.hardware,
            "choice": line.choice,
            "made": moment(line.created_at),
        }
        for line in service.plans.newest(RECENT, 0)
    ]


def moment(seconds: float | None) -> str:
    """A time as people read it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC") if seconds else ""


def lines(plans: Sequence[Plan]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rows of the comparison; the best of a row is marked where one is."""
    if not plans:
        return
    yield "choice", [_cell(f"{p.chosen.format} on {p.chosen.engine}", p.chosen.quality) for p in plans]
    yield (
        "split",
        [_cell(f"{p.chosen.tensor_parallel} x {p.chosen.replicas}", "accelerators a copy x copies") for p in plans],
    )
    yield "memory used", [_memory(p.chosen) for p in plans]
    yield "KV tokens", [_cell(f"{p.chosen.memory.kv_tokens:,}", "") for p in plans]
    for name in FIGURES:
        yield NAMES[name], list(_predictions(name, plans))
    months = [p.chosen.cost.usd_per_month if p.chosen.cost else None for p in plans]
    yield "USD a month", [_cell(usd(month), "always on") for month in months]


def _predictions(name: str, plans: Sequence[Plan]) -> Iterator[dict[str, Any]]:
    """One figure of every plan; the best is marked where there are several."""
    found = [p.chosen.predicted(name) for p in plans]
    values = [f.value for f in found if f.value is not None]
    best = (min if name in LESS_IS_BETTER else max)(values) if len(values) > 1 else None
    for f in found:
        if f.value is None:
            yield _cell("unknown", f.abstained or "")
        else:
            yield _cell(with_unit(f.value, f.unit), interval(f), best=f.value == best)


def _cell(text: str, range: str, *, best: bool = False) -> dict[str, Any]:
    return {"text": text, "range": range, "best": best}


def _memory(candidate: Candidate) -> dict[str, Any]:
    memory = candidate.memory
    return _cell(memory_text(memory.used_gib), f"of {memory_text(memory.available_gib)} an accelerator")


def chart(plans: Sequence[Plan], titles: Sequence[str]) -> dict[str, Any] | None:
    """Every feasible way of the plans by latency and cost, on logarithmic axes; None with fewer than two."""
    dots = [dot for index, plan in enumerate(plans) for dot in _dots(plan, titles[index], index % 8 + 1)]
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
        "dots": [_drawn(dot, x, y, on_frontier=dot in frontier) for dot in dots],
    }  # fmt: skip


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
