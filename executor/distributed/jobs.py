"""What a step elsewhere expects of a cluster: nodes to run on, and jobs that are submitted, watched and stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

JobPhase = Literal["pending", "running", "succeeded", "failed", "stopped", "unknown"]
ENDED: tuple[JobPhase, ...] = ("succeeded", "failed", "stopped", "unknown")


class Unreachable(Exception):
    """The cluster did not answer just now; the message says how. It may again."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster: its address, and all it has, in use or not."""

    address: str
    cores: float
    gpus: float
    memory_bytes: float
    gpu_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """What one job asks for on one node. `gpu`: of which type; `beside`: the address of the one node it must be on."""

    cores: float = 0.0
    gpus: int = 0
    memory_bytes: int = 0
    gpu: str = ""
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A command as a job, under an id that makes submitting it twice the same as once."""

    job_id: str
    command: tuple[str, ...]
    needs: Needs
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobState:
    """Where a job stands: "unknown" when the cluster has no such job; `exit_status` where its command ended by itself.

    `node`: the address of the node it is on.
    """

    phase: JobPhase
    message: str = ""
    exit_status: int | None = None
    node: str = ""


class Jobs(Protocol):
    """A cluster. Every method raises Unreachable when it does not answer in time, and never blocks for longer."""

    @property
    def address(self) -> str: ...

    def require_known(self) -> None:
        """ExecutionFailed when it is of a version that this executor does not know."""

    def nodes(self) -> tuple[Node, ...]:
        """The nodes that are alive."""

    def submit(self, job: Job) -> None:
        """Submit it, or leave it as it is when it was submitted before."""

    def state(self, job_id: str) -> JobState: ...

    def stop(self, job_id: str) -> None:
        """Ask it to end; nothing when it has."""

    def log_tail(self, job_id: str) -> str:
        """The last lines of what it wrote, empty when there are none."""
