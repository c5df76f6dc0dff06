"""What the planner expects of an executor. The executor implements it; the planner finds it by entry point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, Protocol

from planner.errors import ExecutorMissing
from planner.examining import Examiner
from planner.launching.site import NOWHERE, Site
from planner.plan import Plan

GET_EXECUTOR = "pip install 'quantplan[executor]'"

RunState = Literal["running", "interrupted", "failed", "done"]
StepState = Literal["pending", "running", "done", "failed", "skipped"]
EventState = Literal["pending", "running", "done", "failed", "skipped", "fallback", "kept", "learned"]
DeploymentState = Literal["running", "ended", "stopped"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something a person watching a run wants to know; `fraction` (0-1) where progress is measurable."""

    step: str
    state: EventState
    message: str
    fraction: float | None = None


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How to apply a plan.

    `keep`: leave the server running when every check held. `fall_back`: take the plan's rungs when a step fails or is
    not good enough. `cores`: the most processor cores to use, None for all. `address`: where the cluster answers,
    None for what its executor takes by itself; `context`: that of the kubeconfig; `site`: the cluster's own names.
    """

    keep: bool = False
    fall_back: bool = True
    cores: int | None = None
    address: str | None = None
    context: str | None = None
    site: Site = NOWHERE


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a run as the journal holds it; times in seconds since the epoch.

    `seconds` is its duration by a clock that cannot be set; `resources` what its tools used (peak_memory_gib, cpu_s,
    written_gib), where they ran to their end.
    """

    name: str
    state: StepState
    started_at: float | None
    ended_at: float | None
    result: dict[str, Any]
    error: str | None
    log_path: str | None
    seconds: float | None = None
    resources: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RungRecord:
    """One rung of the plan's ladder that a run took: at which step, what it saw there, what changed, by which rule."""

    step: str
    trouble: str
    says: str
    evidence: str
    log_path: str | None
    change: str
    format: str
    rule: str
    because: str
    source: str
    taken_at: float


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """One server left running. `role`: "kept", "live" (promoted) or "original" (rolled back to).

    `state` is "ended" when it ended by itself; `healthy` is None where nobody asked it. `note`: what the cluster that
    holds it says of its end, or that it is silent.
    """

    deployment_id: str
    run_id: str
    service: str
    role: str
    state: DeploymentState
    url: str
    format: str
    engine: str
    pid: int
    started_at: float
    log_path: str
    healthy: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Removal:
    """What removing runs freed, and which were kept with the reason."""

    run_ids: tuple[str, ...]
    freed_bytes: int
    kept: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """One prediction against its measurement. `inside` is None where either is missing; `note`: the likely cause."""

    name: str
    unit: str
    predicted: float | None
    low: float | None
    high: float | None
    measured: float | None
    inside: bool | None
    note: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: its plan, its steps, the rungs it took, its findings, where its report lies, and its servers."""

    run_id: str
    plan: Plan
    state: RunState
    started_at: float
    ended_at: float | None
    steps: tuple[StepRecord, ...]
    findings: tuple[FindingRecord, ...]
    report_path: str | None
    rungs: tuple[RungRecord, ...] = ()
    deployments: tuple[DeploymentRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model that lies whole in an object store; `content_id` names exactly this content."""

    address: str
    content_id: str
    files: int
    total_bytes: int


NO_OPTIONS = ApplyOptions()
OnMessage = Callable[[str, float | None], None]


class Executor(Protocol):
    """Applies plans. Every method is safe to call again after a crash."""

    def apply(self, plan: Plan, *, on_event: Callable[[Event], None], options: ApplyOptions = NO_OPTIONS) -> RunRecord:
        """Run every stage of the plan, resuming an interrupted run of the same plan. ExecutionFailed names the step."""

    def runs(self) -> Sequence[RunRecord]:
        """All runs on this machine, newest first."""

    def show(self, run_id: str) -> RunRecord:
        """One run by id or unique prefix. BadInput when there is none."""

    def demo_model(self) -> Path:
        """The directory of the small real model that ships with the executor."""

    def examiner(self) -> Examiner:
        """Who puts servers and runs of this machine under load, and compares models with their originals."""

    def remove_runs(self, run_ids: Sequence[str], *, dry: bool = False) -> Removal:
        """Remove runs by id or unique prefix with all their files; `dry` only says what that would free."""

    def clean(self, *, older_than_days: float, dry: bool = False) -> Removal:
        """Remove unfinished and old runs, and shared files that no run uses any more."""

    def deployments(self) -> Sequence[DeploymentRecord]:
        """The servers left running on this machine, newest first; those that have ended since say so."""

    def stop(self, deployment_id: str) -> DeploymentRecord:
        """Stop a server that was left running. BadInput when there is none of that id."""

    def promote(self, deployment_id: str) -> DeploymentRecord:
        """Make a healthy server the one in service for its model. ExecutionFailed when it does not answer."""

    def rollback(self, service: str) -> DeploymentRecord:
        """Serve the kept full-precision original again, in the place of what is in service for the model."""

    def require_store(self, address: str) -> None:
        """BadInput or ExecutionFailed unless the object store is there and may be used from here."""

    def push_artefacts(self, source: Path, address: str, *, on_message: OnMessage) -> StoredModel:
        """Put a model directory or GGUF file into an object store, whole or not at all; a cut upload goes on."""

    def pull_artefacts(self, address: str, directory: Path, *, on_message: OnMessage) -> StoredModel:
        """Fetch a whole model from an object store, every file checked; a cut download goes on."""


def find_executor(name: str = "local") -> Executor:
    """The installed executor of that name. ExecutorMissing says how to get one."""
    for entry in entry_points(group="planner.executors", name=name):
        executor: Executor = entry.load()()
        return executor
    raise ExecutorMissing(f"no executor named {name!r} is installed", fix=GET_EXECUTOR)
