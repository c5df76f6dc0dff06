"""Runs as a person reads them in a terminal: the list, one run's steps, and predictions against measurements."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.figures import NAMES, UNKNOWN, with_unit
from planner.launching.locating import carried_out, made_so_far, making_stage
from planner.ports import FindingRecord, RunRecord, StepRecord

STATE_STYLE = {"done": "green", "running": "cyan", "interrupted": "yellow", "failed": "red", "pending": "dim"}
VERDICTS = {True: Text("inside", style="green"), False: Text("outside", style="red"), None: Text("unchecked", "dim")}


def print_runs(runs: Sequence[RunRecord], console: Console) -> None:
    """One line a run, newest first."""
    if not runs:
        console.print("No runs yet. Make one: quantplan plan MODEL --on here --out FILE, then quantplan apply FILE")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("run", "started", "state", "inside"):
        table.add_column(heading, no_wrap=True)
    table.add_column("plan", overflow="fold")
    for run in runs:
        inside = sum(f.inside is True for f in run.findings)
        share = f"{inside} of {len(run.findings)}" if run.findings else UNKNOWN
        table.add_row(run.run_id, _clock(run.started_at), _state(run.state), share, _planned(run))
    console.print(table)


def print_run(run: RunRecord, console: Console) -> None:
    """One run: what it carries out, its steps, what went wrong, and what came of it."""
    console.print(Text.assemble(("Run ", "bold"), (run.run_id, "bold"), "  ", _state(run.state)))
    console.print(_planned(run))
    console.print(Text(f"Started {_clock(run.started_at)}{_lasted(run)}", style="dim"))
    console.print(_steps(run.steps))
    if logs := next((step.log_path for step in run.steps if step.log_path), None):
        console.print(Text(f"Logs: {Path(logs).parent}"), soft_wrap=True)
    print_rungs(run, console)
    for step in run.steps:
        if step.error and step.state == "failed":
            console.print(Text(f"{step.name} failed: {step.error}", style="red"))
    if run.state in ("failed", "interrupted"):
        console.print(f"Go on from there: quantplan apply {run.run_id}")
    print_outcome(run, console)


def print_rungs(run: RunRecord, console: Console) -> None:
    """What the run fell back to: what was seen at which step, what was changed for it, and by which rule."""
    for number, rung in enumerate(run.rungs, start=1):
        console.print(Text.assemble((f"Fell back {number}: ", "yellow"), f"at {rung.step}, {rung.says}"))
        console.print(Text(f"  seen    {rung.evidence}", style="dim"), soft_wrap=True)
        if rung.log_path:
            console.print(Text(f"  log     {rung.log_path}", style="dim"), soft_wrap=True)
        console.print(Text.assemble("  now     ", (rung.change, "bold")))
        console.print(Text(f"  why     {rung.because} [{rung.source}: {rung.rule}]", style="dim"), soft_wrap=True)


def print_outcome(run: RunRecord, console: Console) -> None:
    """The findings, where the model it made and the report lie, the servers it left, and the run's id."""
    if run.findings:
        print_findings(run.findings, console)
    if model := model_made(run):
        console.print(Text.assemble(("Model: ", "bold"), model), soft_wrap=True)
    if run.report_path:
        console.print(Text.assemble(("Report: ", "bold"), run.report_path), soft_wrap=True)
    for left in run.deployments:
        if left.state == "running":
            console.print(Text(f"Serving at {left.url} ({left.role}): quantplan stop {left.deployment_id} ends it"))
    console.print(Text(f"Run {run.run_id}: quantplan show {run.run_id}", style="dim"))


def model_made(run: RunRecord) -> str | None:
    """Where the model lies that the run made; None where it makes none, or has not yet."""
    return made_so_far(run) if making_stage(carried_out(run)) else None


def print_findings(findings: Sequence[FindingRecord], console: Console) -> None:
    """Every prediction against its measurement."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Predicted against measured", title_justify="left")
    for heading, justify in (("figure", "left"), ("predicted", "right"), ("90 % interval", "right")):
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for f in findings:
        low, high = with_unit(f.low, f.unit), with_unit(f.high, f.unit)
        band = f"{low} to {high}" if f.low is not None and f.high is not None else ""
        row = (NAMES.get(f.name, f.name), with_unit(f.predicted, f.unit), band, with_unit(f.measured, f.unit))
        table.add_row(*row, VERDICTS[f.inside])
    console.print(table)
    for note in dict.fromkeys(f.note for f in findings if f.note):
        about = ", ".join(NAMES.get(f.name, f.name) for f in findings if f.note == note)
        console.print(Text(f"- {about}: {note}", style="dim"))
    console.print(Text(_tally(findings).plain, style="bold"))


def _steps(steps: Sequence[StepRecord]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("step", "state", "seconds", "memory", "log"):
        table.add_column(heading, justify="right" if heading in ("seconds", "memory") else "left", overflow="fold")
    for step in steps:
        peak_gib = step.resources.get("peak_memory_gib")
        table.add_row(
            step.name,
            _state(step.state),
            f"{step.seconds:.1f}" if step.seconds is not None else UNKNOWN,
            with_unit(peak_gib, "GiB") if peak_gib else UNKNOWN,
            Text(Path(step.log_path).name if step.log_path else UNKNOWN, style="dim"),
        )
    return table


def _planned(run: RunRecord) -> Text:
    chosen = run.plan.chosen
    return Text(f"{run.plan.model.name} on {run.plan.hardware.label}: {chosen.format} on {chosen.engine}")


def _tally(findings: Sequence[FindingRecord]) -> Text:
    if not findings:
        return Text(UNKNOWN)
    inside, outside = (sum(f.inside is verdict for f in findings) for verdict in (True, False))
    unchecked = len(findings) - inside - outside
    return Text(f"{inside} inside, {outside} outside" + (f", {unchecked} not checked" if unchecked else ""))


def _state(state: str) -> Text:
    return Text(state, style=STATE_STYLE.get(state, ""))


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _lasted(run: RunRecord) -> str:
    """By its steps' own clocks: the wall clock may be set, and a later look at a finished run takes no time of it."""
    took_s = sum(step.seconds or 0.0 for step in run.steps if step.state == "done")
    return f"; its steps took {took_s:.0f} s" if took_s and run.ended_at else ""
