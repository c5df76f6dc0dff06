"""One server left running, and the register of all of them in the journal."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from executor.journal_file import JournalFile
from executor.process import process_created_at
from planner.errors import BadInput
from planner.ports import DeploymentRecord, DeploymentState

SAME_START_S = 0.05


@dataclass(frozen=True, slots=True)
class Holding:
    """What holds a server on a cluster: its own job first, then its workers', each with the folder of its attempt."""

    holder: str
    cluster: str
    node: str
    jobs: dict[str, str]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A server: the run it comes from, its address, its process, what it was started with, and what it can return to.

    `way` names what was done to get there; `arguments` are the plan's; `original` is the full-precision model.
    `holding`: the cluster that holds it, where it is not a process of this machine; `note`: what that said of its end.
    """

    deployment_id: str
    run_id: str
    service: str
    role: str
    state: DeploymentState
    way: str
    url: str
    port: int
    pid: int
    created_at: float
    started_at: float
    log_path: str
    format: str
    engine: str
    model: str
    original: str
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] | None = None
    holding: Holding | None = None
    note: str = ""

    @property
    def alive(self) -> bool:
        """Whether the very process that was left running still runs; on a cluster, as was last heard of it."""
        if self.holding is not None:
            return self.state == "running"
        return self.state == "running" and abs(process_created_at(self.pid) - self.created_at) < SAME_START_S

    @property
    def log(self) -> Path:
        return Path(self.log_path)


def write(journal: JournalFile, deployment: Deployment) -> None:
    """Write a deployment down, in the place of an earlier one of the same id."""
    with journal.transaction() as do:
        _put(do, deployment)


def put_in_service(journal: JournalFile, deployment: Deployment) -> Deployment:
    """This one becomes "live" and what was in service "kept": both or neither, whoever else promotes meanwhile."""
    promoted = replace(deployment, role="live")
    with journal.transaction() as do:
        before = live(journal, deployment.service)
        if before and before.deployment_id != deployment.deployment_id:
            _put(do, replace(before, role="kept"))
        _put(do, promoted)
    return promoted


def all_deployments(journal: JournalFile) -> list[Deployment]:
    """Every server ever left running, newest first; one that ended by itself since is marked so."""
    rows = journal.rows("SELECT record FROM deployments")
    found = [_as_it_is(_read(row["record"])) for row in rows]
    return sorted(found, key=lambda deployment: -deployment.started_at)


def find(journal: JournalFile, prefix: str) -> Deployment:
    """The deployment whose id is or begins with `prefix`. BadInput when there is none, or more than one."""
    known = all_deployments(journal)
    exact = [d for d in known if d.deployment_id == prefix]
    matching = exact or [d for d in known if prefix and d.deployment_id.startswith(prefix)]
    if len(matching) > 1:
        ids = [d.deployment_id for d in matching]
        raise BadInput(f"{len(matching)} deployments begin with {prefix!r}", nearest=ids, fix="write more of the id")
    if not matching:
        nearest = [d.deployment_id for d in known][:3]
        raise BadInput(f"no deployment {prefix!r}", nearest=nearest, fix="list them with `quantplan deployments`")
    return matching[0]


def live(journal: JournalFile, service: str) -> Deployment | None:
    """What is in service for a model: promoted, or rolled back to."""
    in_service = [d for d in all_deployments(journal) if d.service == service and d.role in ("live", "original")]
    return next((d for d in in_service if d.state == "running"), None)


def as_record(deployment: Deployment, *, healthy: bool | None = None) -> DeploymentRecord:
    """A deployment as people see it."""
    names = (name for name in DeploymentRecord.__slots__ if name != "healthy")
    return DeploymentRecord(**{name: getattr(deployment, name) for name in names}, healthy=healthy)


def services(deployments: Sequence[Deployment]) -> list[str]:
    """The models that have or had a server, without repetition."""
    return list(dict.fromkeys(deployment.service for deployment in deployments))


def _put(do: sqlite3.Connection, deployment: Deployment) -> None:
    do.execute(
        "INSERT OR REPLACE INTO deployments (deployment_id, run_id, service, role, state, record)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            deployment.deployment_id,
            deployment.run_id,
            deployment.service,
            deployment.role,
            deployment.state,
            json.dumps(asdict(deployment)),
        ),
    )


def _read(text: str) -> Deployment:
    content = json.loads(text)
    held = content.get("holding")
    return Deployment(
        **{**content, "arguments": tuple(content["arguments"]), "holding": Holding(**held) if held else None}
    )


def _as_it_is(deployment: Deployment) -> Deployment:
    gone = deployment.state == "running" and not deployment.alive
    return replace(deployment, state="ended") if gone else deployment
