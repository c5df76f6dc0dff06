"""Servers that were kept on other machines: who asks after them, ends them and starts them again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from executor.deployments.deployment import Deployment, Holding
from executor.step import Result
from planner.errors import BadInput
from planner.plan import Plan
from planner.ports import DeploymentState

HOLDERS = {
    "ray": "executor.distributed.kept:RayHolder",
    "kubernetes": "executor.distributed.kubernetes.kept:KubernetesHolder",
}  # by name: a server of this machine loads none of it


@dataclass(frozen=True, slots=True)
class Standing:
    """How a server stands on its cluster; `note`: why it ended, or that the cluster does not answer."""

    state: DeploymentState
    note: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """A launched server that may be left running: its address for others, and how to let go of it.

    It must be written down first: a process of this machine by its start, another by what holds it.
    """

    url: str
    let_go: Callable[[], None]
    created_at: float = 0.0
    holding: Holding | None = None


class Keeping(Protocol):
    """Where a run's server is not a process of this machine."""

    def server(self, launched: Result) -> Server | None:
        """The launched server; None when it has ended."""


class Holder(Protocol):
    """A cluster that holds servers."""

    def standing(self, deployment: Deployment) -> Standing: ...

    def stop(self, deployment: Deployment) -> Standing:
        """End it. Where the cluster does not answer, the note says what ends it then."""

    def start(self, deployment: Deployment, plan: Plan, write_down: Callable[[Deployment], None]) -> Deployment:
        """Start it again at its own address; it is written down before it is let go."""


def holder_of(deployment: Deployment) -> Holder | None:
    """Who holds it; None for a server of this machine. BadInput for a holder that this version does not know."""
    if deployment.holding is None:
        return None
    name = deployment.holding.holder
    if name not in HOLDERS:
        raise BadInput(
            f"its server is held by {name!r}, which this version does not know",
            where=f"deployment {deployment.deployment_id}",
            nearest=sorted(HOLDERS),
            fix="use the quantplan that kept it",
        )
    module, _, kind = HOLDERS[name].partition(":")
    holder: Holder = getattr(import_module(module), kind)()
    return holder
