"""`quantplan show`: one run in full."""

from __future__ import annotations

import json

import click


@click.command(name="show", short_help="Show one run: its steps, findings and report.")
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON.")
def command(run: str, as_json: bool) -> None:
    """Show RUN, named by its id or the beginning of it (see `quantplan runs`)."""
    from planner.ports import find_executor

    record = find_executor().show(run)
    if as_json:
        from planner.cli.applying import as_plain

        click.echo(json.dumps(as_plain(record), indent=2))
        return
    from planner.cli.run_view import print_run
    from planner.cli.terminal import console

    print_run(record, console())
