"""What whoever runs the service decides: where it keeps its data, who may ask, and how much."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated

from pydantic import Field

from planner.request import Frozen

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]", "::1")


def default_database_url() -> str:
    """An SQLite file in quantplan's data directory (QUANTPLAN_HOME, or ~/.local/share/quantplan)."""
    home = os.environ.get("QUANTPLAN_HOME") or Path.home() / ".local" / "share" / "quantplan"
    return f"sqlite:///{Path(home) / 'service.db'}"


class Settings(Frozen):
    """How one service runs.

    `open_planning`: asking needs no token (the default on loopback; executing always needs one). Model paths are read
    only below `model_roots`; hub ids are looked up only with `allow_hub`. Rates are per client address.
    A question about a cluster is solved for `solver_seconds` at most, and holds no more than the four `max_` before it.
    """

    database_url: str = Field(default_factory=default_database_url)
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8642
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    open_planning: bool = True
    model_roots: tuple[Path, ...] = ()
    allow_hub: bool = False
    rules: Path | None = None
    trusted_hosts: tuple[str, ...] = ()
    requests_per_minute: Annotated[int, Field(ge=1)] = 300_000
    max_body_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    body_seconds: Annotated[float, Field(gt=0)] = 20.0
    max_accelerators: Annotated[int, Field(ge=1)] = 1024
    plans_in_memory: Annotated[int, Field(ge=0)] = 4096
    max_fleet_models: Annotated[int, Field(ge=1)] = 64
    max_node_types: Annotated[int, Field(ge=1)] = 16
    max_cluster_accelerators: Annotated[int, Field(ge=1)] = 20_000
    max_accelerators_per_node: Annotated[int, Field(ge=1)] = 72
    solver_seconds: Annotated[float, Field(gt=0)] = 30.0

    @property
    def on_loopback(self) -> bool:
        """Only programs of this machine can reach the service."""
        return is_loopback(self.host)

    @property
    def allowed_hosts(self) -> list[str]:
        """The Host headers that are answered: a page of another name cannot reach a service on loopback."""
        return [*LOCAL_NAMES, *self.trusted_hosts] if self.on_loopback else [*self.trusted_hosts] or ["*"]


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own; a name other than localhost is not taken for it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
