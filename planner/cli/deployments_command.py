"""`quantplan deployments`: the servers that runs left running."""

from __future__ import annotations

import json

import click


@click.command(name="deployments", short_help="List the servers that runs left running.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(as_json: bool) -> None:
    """List the servers that `quantplan apply --keep` left running, newest first, and whether they answer."""
    from dataclasses import asdict

    from planner.ports import find_executor

    found = find_executor().deployments()
    if as_json:
        click.echo(json.dumps([asdict(deployment) for deployment in found], indent=2))
        return
    from planner.cli.deployments_view import print_deployments
    from planner.cli.terminal import console

    print_deployments(found, console())
