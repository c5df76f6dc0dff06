"""`quantplan tokens`: who may use the service."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from planner.errors import BadInput

if TYPE_CHECKING:
    from planner.service.store.tokens import TokenStore

DATABASE = click.option("--database", "database_url", help="The service's database (its SQLite file).")


@click.group("tokens", short_help="Let callers into the service, and shut them out.")
def command() -> None:
    """Tokens of the service. Scopes: read (look), plan (ask), execute (start and stop runs), report (measurements)."""


@command.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="read, plan, execute or report; may be repeated.")
@DATABASE
def create(name: str, scopes: tuple[str, ...], database_url: str | None) -> None:
    """Make a token and print it: this once, for only its hash is kept."""
    click.echo(_store(database_url).create(name, scopes))


@command.command("list")
@DATABASE
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def list_(database_url: str | None, as_json: bool) -> None:
    """Every token by id, with its scopes and age."""
    lines = _store(database_url).all()
    if as_json:
        click.echo(json.dumps([{**_plain(line), "scopes": sorted(line.scopes)} for line in lines], indent=2))
        return
    for line in lines:
        state = "revoked" if line.revoked_at else "valid"
        created = datetime.fromtimestamp(line.created_at, UTC).date()
        click.echo(f"{line.token_id}  {state:7}  {created}  {' '.join(sorted(line.scopes)):18}  {line.name}")


@command.command("revoke")
@click.argument("token_id")
@DATABASE
def revoke(token_id: str, database_url: str | None) -> None:
    """Shut a token out, at once."""
    if not _store(database_url).revoke(token_id):
        raise _unknown(token_id)
    click.echo(f"{token_id} is revoked")


@command.command("rotate")
@click.argument("token_id")
@DATABASE
def rotate(token_id: str, database_url: str | None) -> None:
    """Print a new token with the same name and scopes, and revoke the old one."""
    fresh = _store(database_url).rotate(token_id)
    if fresh is None:
        raise _unknown(token_id)
    click.echo(fresh)


def _plain(line: object) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(line)  # type: ignore[call-overload, no-any-return]


def _unknown(token_id: str) -> BadInput:
    return BadInput(f"no valid token {token_id[:40]!r}", fix="`quantplan tokens list` shows their ids")


def _store(database_url: str | None) -> TokenStore:
    from planner.cli.serve_command import settings_from
    from planner.service.store.database import open_database
    from planner.service.store.tokens import TokenStore

    options = {"database_url": database_url} if database_url else {}
    return TokenStore(open_database(settings_from(options).database_url))
