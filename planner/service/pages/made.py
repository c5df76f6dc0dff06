"""Plans that were made here, as the pages list them."""

from __future__ import annotations

from datetime import UTC, datetime

from planner.plan import Plan
from planner.service.parts import Parts

RECENT = 25


def plan_of(service: Parts, digest: str) -> Plan | None:
    """A plan made here; None where it is unknown."""
    body = service.plans.body(f"sha256:{digest}")
    return Plan.model_validate_json(body) if body else None


def recent(service: Parts) -> list[dict[str, str]]:
    """The newest plans, to choose from."""
    return [
        {
            "digest": line.digest.removeprefix("sha256:"),
            "model": line.model,
            "hardware": line.hardware,
            "choice": line.choice,
            "made": moment(line.created_at),
        }
        for line in service.plans.newest(RECENT, 0)
    ]


def moment(seconds: float | None) -> str:
    """A time as people read it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC") if seconds else ""
