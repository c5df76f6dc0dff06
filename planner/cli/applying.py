"""Applying a plan in front of a person (or a program): progress, then what came of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from planner.plan import Plan
from planner.ports import NO_OPTIONS, ApplyOptions, Executor, RunRecord, find_executor


def apply_watched(
    plan: Plan, *, as_json: bool, options: ApplyOptions = NO_OPTIONS, executor_name: str = "local"
) -> RunRecord:
    """Apply the plan, showing progress; then print the findings and the report's path, or the run as JSON."""
    executor = find_executor(executor_name)
    from planner.cli.progress import watching
    from planner.cli.terminal import console

    put_to = options.site.artefacts if executor_name != "kubernetes" else None  # there the Job puts them
    if put_to:
        executor.require_store(put_to)
    with watching(plan, console(stderr=as_json)) as on_event:
        record = executor.apply(plan, on_event=on_event, options=options)
    if put_to:
        click.echo(put_there(record, put_to, executor), err=True)
    if address := os.environ.get("QUANTPLAN_LEDGER"):
        click.echo(reported_to(address), err=True)
    if as_json:
        click.echo(json.dumps(as_plain(record), indent=2))
        return record
    from planner.cli.run_view import print_outcome

    print_outcome(record, console())
    return record


def put_there(record: RunRecord, artefacts: str, executor: Executor) -> str:
    """Put the model that the run made into the object store, below the run's id."""
    from planner.launching.locating import made_by, making_stage

    if making_stage(record.plan) is None:
        return "The run made no model, so nothing was put into the object store."
    address = f"{artefacts.rstrip('/')}/{record.run_id}"
    stored = executor.push_artefacts(Path(made_by(record)), address, on_message=lambda said, fraction: None)
    return f"Put into the object store: {address}, {stored.files} files, {stored.total_bytes:,} bytes."


def reported_to(address: str) -> str:
    """Report what runs taught to the ledger, and say so; one that is silent or refuses changes nothing of the run."""
    from planner.errors import QuantplanError
    from planner.home import home_directory
    from planner.ledger.remote import RemoteLedger
    from planner.ledger.syncing import push

    try:
        new, known = push(home_directory(), RemoteLedger(address))
    except QuantplanError as error:
        return f"Not reported to the ledger, and kept here for `quantplan ledger push`: {error}"
    return f"Reported to the ledger: {new} new, {known} known there already."


def as_plain(record: RunRecord) -> dict[str, object]:
    """A run as plain JSON values."""
    from dataclasses import asdict, replace

    plan = record.plan.model_dump(mode="json")
    return {**asdict(replace(record, plan=None)), "plan": plan}  # type: ignore[arg-type]
