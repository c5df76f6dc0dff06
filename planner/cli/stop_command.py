"""`quantplan stop`: stop a server that a run left running."""

from __future__ import annotations

import json

import click


@click.command(name="stop", short_help="Stop a server that a run left running.")
@click.argument("deployment")
@click.option("--json", "as_json", is_flag=True, help="Print the deployment as JSON.")
def command(deployment: str, as_json: bool) -> None:
    """Stop DEPLOYMENT, named by its id or the beginning of it (see `quantplan deployments`)."""
    from dataclasses import asdict

    from planner.ports import find_executor

    found = find_executor().stop(deployment)
    said = f"Stopped {found.deployment_id} ({found.service}, {found.url})." + (f" {found.note}" if found.note else "")
    click.echo(json.dumps(asdict(found), indent=2) if as_json else said)
