"""What this executor knows of Ray, and its patience: `ray.yaml`."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from planner.plan import StageKind
from planner.request import Frozen

TABLE = Path(__file__).with_name("ray.yaml")


class Patience(Frozen):
    """How long to wait for what, in seconds; `attempts` at one step where nodes are lost."""

    request_s: float
    poll_s: float
    head_silent_s: float
    node_silent_s: float
    pending_s: float
    start_s: float
    settle_s: float
    lost_s: float
    beat_s: float
    lease_s: float
    attempts: int
    source: str = ""


class Known(Frozen):
    """The versions of the job interface and the first numbers of the versions of Ray that were tried."""

    jobs_api: tuple[str, ...]
    ray: tuple[str, ...]
    source: str


class RaySettings(Frozen):
    """The whole table."""

    as_of: Any
    known: Known
    address: str
    address_variables: tuple[str, ...]
    address_source: str
    patience: Patience
    cores: dict[StageKind, float]

    def address_of(self, asked: str | None) -> str:
        """The dashboard's address: as asked, else as the environment says, else this machine's."""
        named = asked or next((os.environ[name] for name in self.address_variables if os.environ.get(name)), "")
        return (named or self.address).rstrip("/")


@lru_cache(maxsize=1)
def ray_settings() -> RaySettings:
    return RaySettings.model_validate(yaml.safe_load(TABLE.read_text(encoding="utf-8")))
