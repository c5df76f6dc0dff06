"""`quantplan runs`: what was done on this machine."""

from __future__ import annotations

import json

import click


@click.command(name="runs", short_help="List the runs on this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print the runs as JSON.")
def command(as_json: bool) -> None:
    """List the runs on this machine, newest first."""
    from planner.ports import find_executor

    runs = find_executor().runs()
    if as_json:
        from planner.cli.applying import as_plain

        click.echo(json.dumps([as_plain(run) for run in runs], indent=2))
        return
    from planner.cli.run_view import print_runs
    from planner.cli.terminal import console

    print_runs(runs, console())
