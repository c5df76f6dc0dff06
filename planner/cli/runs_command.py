"""`quantplan runs`: what was done on this machine, and how to be rid of it."""

from __future__ import annotations

import json

import click

from planner.ports import Removal
from planner.units import GIB, MIB


@click.group(name="runs", short_help="List the runs on this machine; remove old ones.", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the runs as JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the runs on this machine, newest first."""
    if context.invoked_subcommand is not None:
        return
    from planner.ports import find_executor

    runs = find_executor().runs()
    if as_json:
        from planner.cli.applying import as_plain

        click.echo(json.dumps([as_plain(run) for run in runs], indent=2))
        return
    from planner.cli.run_view import print_runs
    from planner.cli.terminal import console

    print_runs(runs, console())


@command.command(name="remove")
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@click.option("--dry-run", "dry", is_flag=True, help="Only say what it would free.")
def remove(run_ids: tuple[str, ...], dry: bool) -> None:
    """Remove runs with all their files. What is being applied or served is kept."""
    from planner.ports import find_executor

    tell(find_executor().remove_runs(run_ids, dry=dry), dry=dry)


@command.command(name="clean")
@click.option("--older-than-days", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Age to go by.")
@click.option("--dry-run", "dry", is_flag=True, help="Only say what it would free.")
def clean(older_than_days: float, dry: bool) -> None:
    """Remove runs that never finished, old ones, and shared files that no run uses any more."""
    from planner.ports import find_executor

    tell(find_executor().clean(older_than_days=older_than_days, dry=dry), dry=dry)


def tell(removal: Removal, *, dry: bool) -> None:
    """What was removed, what that freed, and what was kept for which reason."""
    amount = removal.freed_bytes
    freed = f"{amount / GIB:.2f} GiB" if amount >= GIB else f"{amount / MIB:.2f} MiB"
    runs = f"{len(removal.run_ids)} run{'s' if len(removal.run_ids) != 1 else ''}"
    click.echo(f"Would remove {runs}, freeing {freed}." if dry else f"Removed {runs}; {freed} freed.")
    for run_id in removal.run_ids:
        click.echo(f"  {run_id}")
    for run_id, why in removal.kept:
        click.echo(f"  {run_id} is kept: {why}")
