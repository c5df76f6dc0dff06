"""The page of plans side by side, and the frontier of latency against cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from planner.figures import NAMES, interval, usd, with_unit
from planner.figures import memory as memory_text
from planner.plan import Candidate, Plan
from planner.service.access import Reader
from planner.service.pages.frontier_chart import chart
from planner.service.pages.made import plan_of, recent
from planner.service.pages.rendering import render
from planner.service.parts import Service

router = APIRouter(include_in_schema=False)
HERE = "/compare"
MOST = 6
LESS_IS_BETTER = ("ttft_ms", "tpot_ms", "usd_per_1m_output_tokens", "watts_per_accelerator", "joules_per_output_token")
FIGURES = ("ttft_ms", "tpot_ms", "output_tokens_per_s", "usd_per_1m_output_tokens")
ENERGY = ("watts_per_accelerator", "joules_per_output_token")
Digests = Annotated[list[Annotated[str, Query(pattern=r"^[0-9a-f]{64}$")]], Query(max_length=MOST)]


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


def lines(plans: Sequence[Plan]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rows of the comparison; the best of a row is marked where one is."""
    if not plans:
        return
    yield "choice", [_cell(f"{p.chosen.format} on {p.chosen.engine}", p.chosen.quality) for p in plans]
    yield (
        "split",
        [_cell(f"{p.chosen.accelerators} x {p.chosen.replicas}", "accelerators a copy x copies") for p in plans],
    )
    yield "memory used", [_memory(p.chosen) for p in plans]
    yield "KV tokens", [_cell(f"{p.chosen.memory.kv_tokens:,}", "") for p in plans]
    for name in FIGURES:
        yield NAMES[name], list(_predictions(name, plans))
    for name in ENERGY:
        if all(name in {p.name for p in plan.chosen.predictions} for plan in plans):
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
            yield _cell(f"at most {with_unit(f.high, f.unit)}" if f.high is not None else "unknown", f.abstained or "")
        else:
            yield _cell(with_unit(f.value, f.unit), interval(f), best=f.value == best)


def _cell(text: str, range: str, *, best: bool = False) -> dict[str, Any]:
    return {"text": text, "range": range, "best": best}


def _memory(candidate: Candidate) -> dict[str, Any]:
    memory = candidate.memory
    return _cell(memory_text(memory.used_gib), f"of {memory_text(memory.available_gib)} an accelerator")
