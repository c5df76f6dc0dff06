"""`quantplan apply`: carry out a plan, or go on where it stopped."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="apply", short_help="Carry out a plan: quantize, launch, measure, compare.")
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON (progress goes to stderr).")
def command(plan_file: Path, as_json: bool) -> None:
    """Carry out PLAN, a file written by `quantplan plan --out PLAN`.

    Applying the same plan again goes on where it stopped; when it had finished, its files are verified.
    """
    from planner.cli.applying import apply_watched
    from planner.plan import load_plan

    apply_watched(load_plan(plan_file), as_json=as_json)
