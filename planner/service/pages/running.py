"""The pages of runs: those asked for over HTTP, those of this host, and one run with its findings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse

from planner.errors import BadInput, ExecutorMissing
from planner.figures import NAMES, with_unit
from planner.ports import FindingRecord, RunRecord, find_executor
from planner.service.access import Reader
from planner.service.pages.made import moment, plan_of
from planner.service.pages.rendering import render
from planner.service.parts import Parts, Service
from planner.service.problems import not_found
from planner.service.store.runs import OPEN, EventLine, RunLine

router = APIRouter(include_in_schema=False)
HERE = "/runs"
SHOWN = 50
TONES = {"done": "good", "failed": "bad", "stopped": "warn", "interrupted": "warn"}
Digest = Annotated[str, Query(pattern=r"^([0-9a-f]{64})?$")]


@router.get(HERE)
def runs(service: Service, asks: Reader, plan: Digest = "") -> HTMLResponse:
    """Every run, and a form that starts one."""
    local, missing = _local_runs()
    asked = [_asked(service, line) for line in service.runs.newest(SHOWN, 0)]
    start = _start(service, plan) if plan else None
    return render("runs.html.j2", HERE, asked=asked, local=local, missing=missing, start=start)


@router.get("/runs/{run_id}")
def one(service: Service, asks: Reader, run_id: Annotated[str, Path(pattern=r"^[0-9a-f]{4,32}$")]) -> HTMLResponse:
    """One run: live while it goes on, then predicted against measured."""
    line = service.runs.run(run_id)
    record = _record(line.plan_digest if line else run_id)
    if line is None and record is None:
        raise not_found(f"no run {run_id}", fix="/runs lists them")
    state = line.state if line else record.state if record else ""
    events = service.runs.events(run_id, 0) if line and line.state not in OPEN else []
    return render(
        "run.html.j2",
        HERE,
        run_id=run_id,
        title=_title(service, line, record),
        state=state,
        tone=TONES.get(state, ""),
        error=line.error if line else None,
        open=line is not None and line.state in OPEN,
        findings=[_finding(finding) for finding in record.findings] if record else [],
        steps=[_step(step) for step in record.steps] if record else [],
        events=_told(events),
    )


def _start(service: Parts, digest: str) -> dict[str, str] | None:
    plan = plan_of(service, digest)
    if plan is None:
        return None
    title = f"{plan.model.name} on {plan.hardware.label}"
    return {
        "title": title,
        "choice": f"{plan.chosen.format} on {plan.chosen.engine}",
        "body": json.dumps({"plan": digest}),
    }


def _asked(service: Parts, line: RunLine) -> dict[str, str]:
    return {
        "run_id": line.run_id,
        "title": _title(service, line, None),
        "state": line.state,
        "tone": TONES.get(line.state, ""),
        "made": moment(line.created_at),
        "error": (line.error or "").partition("\n")[0],
    }


def _title(service: Parts, line: RunLine | None, record: RunRecord | None) -> str:
    plan = record.plan if record else plan_of(service, line.plan_digest.removeprefix("sha256:")) if line else None
    return f"{plan.model.name} on {plan.hardware.label}" if plan else "a run"


def _local_runs() -> tuple[Sequence[dict[str, Any]], str]:
    """The executor's own runs, or how to get an executor."""
    try:
        records = find_executor().runs()
    except ExecutorMissing as error:
        return [], f"{error.what}: {error.fix}"
    return [_local(record) for record in records[:SHOWN]], ""


def _local(record: RunRecord) -> dict[str, Any]:
    return {
        "run_id": record.run_id,
        "title": f"{record.plan.model.name} on {record.plan.hardware.label}",
        "choice": f"{record.plan.chosen.format} on {record.plan.chosen.engine}",
        "state": record.state,
        "tone": TONES.get(record.state, ""),
        "inside": sum(finding.inside is True for finding in record.findings),
        "outside": sum(finding.inside is False for finding in record.findings),
        "made": moment(record.started_at),
        "servers": [
            {"url": d.url, "role": d.role, "state": d.state, "tone": "good" if d.state == "running" else "warn"}
            for d in record.deployments
        ],
    }


def _record(name: str) -> RunRecord | None:
    """The executor's record of a run, by its id or by its plan's digest."""
    try:
        return find_executor().show(name.removeprefix("sha256:")[:12])
    except (BadInput, ExecutorMissing):
        return None


def _finding(finding: FindingRecord) -> dict[str, str]:
    verdict = {True: "inside", False: "outside", None: "not compared"}[finding.inside]
    return {
        "label": NAMES.get(finding.name, finding.name),
        "predicted": with_unit(finding.predicted, finding.unit),
        "range": _range(finding),
        "measured": with_unit(finding.measured, finding.unit),
        "verdict": verdict,
        "tone": {True: "good", False: "bad", None: "warn"}[finding.inside],
        "note": finding.note,
    }


def _range(finding: FindingRecord) -> str:
    if finding.low is None or finding.high is None:
        return ""
    return f"{with_unit(finding.low, finding.unit)} to {with_unit(finding.high, finding.unit)}"


def _told(events: Sequence[EventLine]) -> list[dict[str, str]]:
    """What happened, in lines: of a step's progress only the last."""
    nexts = [*events[1:], None]
    kept = [e for e, after in zip(events, nexts, strict=True) if after is None or not _goes_on(e, after)]
    return [{"made": moment(e.at), "step": e.step, "state": e.state, "message": e.message} for e in kept]


def _goes_on(event: EventLine, after: EventLine) -> bool:
    """Whether the next event only tells how far the same thing has come."""
    progress = event.fraction is not None and after.fraction is not None
    return progress and (event.step, event.state) == (after.step, after.state)


def _step(step: Any) -> dict[str, str]:
    seconds = f"{step.ended_at - step.started_at:,.1f}" if step.started_at and step.ended_at else ""
    error = (step.error or "").partition("\n")[0]
    return {
        "name": step.name,
        "state": step.state,
        "tone": TONES.get(step.state, ""),
        "seconds": seconds,
        "error": error,
    }
