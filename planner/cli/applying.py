"""Applying a plan in front of a person (or a program): progress, then what came of it."""

from __future__ import annotations

import json

import click

from planner.plan import Plan
from planner.ports import NO_OPTIONS, ApplyOptions, RunRecord, find_executor


def apply_watched(
    plan: Plan, *, as_json: bool, options: ApplyOptions = NO_OPTIONS, executor_name: str = "local"
) -> RunRecord:
    """Apply the plan, showing progress; then print the findings and the report's path, or the run as JSON."""
    executor = find_executor(executor_name)
    from planner.cli.progress import watching
    from planner.cli.terminal import console

    with watching(plan, console(stderr=as_json)) as on_event:
        record = executor.apply(plan, on_event=on_event, options=options)
    if as_json:
        click.echo(json.dumps(as_plain(record), indent=2))
        return record
    from planner.cli.run_view import print_outcome

    print_outcome(record, console())
    return record


def as_plain(record: RunRecord) -> dict[str, object]:
    """A run as plain JSON values."""
    from dataclasses import asdict, replace

    plan = record.plan.model_dump(mode="json")
    return {**asdict(replace(record, plan=None)), "plan": plan}  # type: ignore[arg-type]
