"""`quantplan promote`: put a kept server in service for its model."""

from __future__ import annotations

import json

import click


@click.command(name="promote", short_help="Put a kept server in service for its model.")
@click.argument("deployment")
@click.option("--json", "as_json", is_flag=True, help="Print the deployment as JSON.")
def command(deployment: str, as_json: bool) -> None:
    """Put DEPLOYMENT in service for its model, once it has answered. What was in service before runs on.

    Routers and scripts find the address in the file live/MODEL.json of quantplan's data directory.
    """
    from dataclasses import asdict

    from planner.ports import find_executor

    found = find_executor().promote(deployment)
    served = f"In service for {found.service}: {found.url} ({found.format} on {found.engine})."
    said = f"{served} Back to the original: quantplan rollback {found.service}"
    click.echo(json.dumps(asdict(found), indent=2) if as_json else said)
