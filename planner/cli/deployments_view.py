"""Servers that were left running, as a person reads them in a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.ports import DeploymentRecord

NONE_YET = "No servers yet. Leave one running: quantplan apply FILE --keep"
HEALTH = {True: ("healthy", "green"), False: ("does not answer", "red")}


def print_deployments(deployments: Sequence[DeploymentRecord], console: Console) -> None:
    """One line a server: id, model, role, state, address, what it serves, since when."""
    if not deployments:
        console.print(NONE_YET)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("id", "model", "role", "state", "address", "serves", "since"):
        table.add_column(heading, overflow="fold")
    for found in deployments:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.started_at))
        serves = f"{found.format} on {found.engine}"
        table.add_row(found.deployment_id, found.service, found.role, state(found), found.url, serves, since)
    console.print(table)
    for found in deployments:
        if found.note:
            console.print(f"{found.deployment_id}: {found.note}", highlight=False)


def state(found: DeploymentRecord) -> Text:
    """A running server by its health; another by how it ended."""
    words, style = (
        HEALTH.get(found.healthy, (found.state, "dim")) if found.healthy is not None else (found.state, "dim")
    )
    return Text(words, style=style)
