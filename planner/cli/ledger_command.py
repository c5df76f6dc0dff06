"""`quantplan ledger`: share what runs measured with other machines through a service."""

from __future__ import annotations

import click

ADDRESS = click.option(
    "--ledger", "address", envvar="QUANTPLAN_LEDGER", required=True, help="The service, such as https://plans.example."
)


@click.group(name="ledger", short_help="Share what runs measured with other machines.")
def command() -> None:
    """One ledger for many machines: what each measured corrects the plans of all for the same hardware and engine.

    The ledger is a service (`quantplan serve`). QUANTPLAN_LEDGER names it; `quantplan apply` then reports by itself.
    QUANTPLAN_LEDGER_TOKEN holds a token with the scope `report` (to push) or `read` (to pull).
    """


@command.command(short_help="Report what was measured here.")
@ADDRESS
def push(address: str) -> None:
    """Report what the ledger has not confirmed yet. Safe to run again: nothing counts twice."""
    from planner.home import home_directory
    from planner.ledger.remote import RemoteLedger
    from planner.ledger.syncing import push as pushed

    new, known = pushed(home_directory(), RemoteLedger(address))
    click.echo(f"Reported: {new} new, {known} known there already.")


@command.command(short_help="Take over what was measured elsewhere.")
@ADDRESS
def pull(address: str) -> None:
    """Take over what other machines reported since the last time. `quantplan learned` lists it with its executor."""
    from planner.home import home_directory
    from planner.ledger.remote import RemoteLedger
    from planner.ledger.syncing import pull as pulled

    click.echo(f"Taken over: {pulled(home_directory(), RemoteLedger(address))} measurements of other machines.")
