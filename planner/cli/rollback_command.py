"""`quantplan rollback`: serve the full-precision original again."""

from __future__ import annotations

import json

import click


@click.command(name="rollback", short_help="Serve the full-precision original again.")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print the deployment as JSON.")
def command(model: str, as_json: bool) -> None:
    """Serve the kept full-precision original of MODEL again, at the same address, in the place of what is in service.

    Its checksums are verified first. Should it not start, what was in service is started again.
    """
    from dataclasses import asdict

    from planner.ports import find_executor

    found = find_executor().rollback(model)
    said = f"In service for {found.service}: {found.url} ({found.format} on {found.engine})."
    click.echo(json.dumps(asdict(found), indent=2) if as_json else said)
