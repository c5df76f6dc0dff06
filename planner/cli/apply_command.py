"""`quantplan apply`: carry out a plan, or go on where it stopped."""

from __future__ import annotations

import re
from pathlib import Path

import click

RUN_ID = re.compile(r"[0-9a-f]{4,12}")


@click.command(name="apply", short_help="Carry out a plan: quantize, launch, measure, compare.")
@click.argument("plan", metavar="PLAN|RUN")
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON (progress goes to stderr).")
def command(plan: str, as_json: bool) -> None:
    """Carry out PLAN, a file written by `quantplan plan --out PLAN`, or go on with RUN (see `quantplan runs`).

    Applying the same plan again goes on where it stopped; when it had finished, its files are verified.
    """
    from planner.cli.applying import apply_watched
    from planner.plan import load_plan
    from planner.ports import find_executor

    names_a_run = RUN_ID.fullmatch(plan) and not Path(plan).exists()
    apply_watched(find_executor().show(plan).plan if names_a_run else load_plan(Path(plan)), as_json=as_json)
