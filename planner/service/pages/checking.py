"""The page of accuracy: predicted against measured over all machines that report, and on this host."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi import Request as HttpRequest
from fastapi.responses import HTMLResponse

from planner.errors import ExecutorMissing
from planner.figures import NAMES
from planner.ports import find_executor
from planner.service.access import Reader
from planner.service.accuracy import Accuracy, accuracy
from planner.service.api.measurements import MOST_WEIGHED
from planner.service.pages.made import moment
from planner.service.pages.rendering import render
from planner.service.parts import Service
from planner.service.store.measurements import Measured, MeasurementStore

router = APIRouter(include_in_schema=False)
HERE = "/accuracy"
REPORTED_SHOWN = 25
STRIP_WIDTH = 200.0
STRIP_ENDS = 1.0  # the picture of an error goes from -100 % to +100 %; the figures beside it go on
Wanted = Annotated[str, Query(max_length=100)]


@router.get(HERE)
def checked(http: HttpRequest, service: Service, asks: Reader, q: Wanted = "") -> HTMLResponse:
    """How right predictions were."""
    measured = MeasurementStore(service.engine).newest(MOST_WEIGHED)
    lines = [_line(found) for found in accuracy(measured)]
    wanted = [line for line in lines if q.lower() in line["searched"]]
    return render(
        "accuracy.html.j2",
        HERE,
        q=q,
        lines=wanted,
        any=bool(lines),
        weighed=f"{len(measured):,}",
        executors=len({one.executor for one in measured}),
        reported=_reported(measured),
        host=_on_this_host(),
        address=str(http.base_url).rstrip("/"),
    )


def _line(found: Accuracy) -> dict[str, Any]:
    engine = f"{found.engine} {found.engine_version}"
    figure = NAMES.get(found.figure, found.figure)
    return {
        "machine": found.machine,
        "engine": engine,
        "format": found.format,
        "figure": figure,
        "runs": found.runs,
        "executors": found.executors,
        "absolute": found.median_absolute_error,
        "signed": found.median_error,
        "range": f"{percent(found.lowest_error)} to {percent(found.highest_error)}",
        "highest": found.highest_error,
        "strip": (_across(found.lowest_error), _across(found.highest_error), _across(found.median_error)),
        "newest": moment(found.newest_at),
        "searched": f"{found.machine} {engine} {found.format} {figure}".lower(),
    }


def percent(error: float) -> str:
    """An error with its sign."""
    return f"{100 * error:+.1f} %"


def _across(error: float) -> float:
    """Where an error lies on its strip."""
    return STRIP_WIDTH / 2 * (1 + max(-STRIP_ENDS, min(error, STRIP_ENDS)))


def _reported(measured: list[Measured]) -> list[dict[str, Any]]:
    """The newest runs that executors reported, with what was predicted and measured in each."""
    runs: defaultdict[tuple[str, str], list[Measured]] = defaultdict(list)
    for one in measured:
        runs[one.executor, one.run_id].append(one)
    return [
        {
            "run": run,
            "executor": executor[:8],
            "machine": figures[0].machine,
            "engine": f"{figures[0].engine} {figures[0].engine_version}",
            "configuration": figures[0].configuration,
            "errors": [(NAMES.get(f.figure, f.figure), percent(f.predicted / f.measured - 1)) for f in figures],
            "when": moment(figures[0].measured_at),
        }
        for (executor, run), figures in list(runs.items())[:REPORTED_SHOWN]
    ]


def _on_this_host() -> list[dict[str, Any]]:
    """Of this host's own runs: how many measurements of each figure lay inside their interval."""
    try:
        records = find_executor().runs()
    except ExecutorMissing:
        return []
    held: defaultdict[str, list[bool]] = defaultdict(list)
    for record in records:
        for finding in record.findings:
            if finding.inside is not None:
                held[NAMES.get(finding.name, finding.name)].append(finding.inside)
    return [{"figure": name, "inside": sum(inside), "of": len(inside)} for name, inside in held.items()]
