"""What the planner expects of an executor. The executor implements it; the planner finds it by entry point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, Protocol

from planner.errors import ExecutorMissing
from planner.plan import Plan

GET_EXECUTOR = "pip install 'quantplan[executor]'"

RunState = Literal["running", "interrupted", "failed", "done"]
StepState = Literal["pending", "running", "done", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something a person watching a run wants to know; `fraction` (0-1) where progress is measurable."""

    step: str
    state: StepState
    message: str
    fraction: float | None = None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a run as the journal holds it; times in seconds since the epoch."""

    name: str
    state: StepState
    started_at: float | None
    ended_at: float | None
    result: dict[str, Any]
    error: str | None
    log_path: str | None


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
    """One run: its plan, its steps, its findings, and where its report lies."""

    run_id: str
    plan: Plan
    state: RunState
    started_at: float
    ended_at: float | None
    steps: tuple[StepRecord, ...]
    findings: tuple[FindingRecord, ...]
    report_path: str | None


class Executor(Protocol):
    """Applies plans. Every method is safe to call again after a crash."""

    def apply(self, plan: Plan, *, on_event: Callable[[Event], None]) -> RunRecord:
        """Run every stage of the plan, resuming an interrupted run of the same plan. ExecutionFailed names the step."""

    def runs(self) -> Sequence[RunRecord]:
        """All runs on this machine, newest first."""

    def show(self, run_id: str) -> RunRecord:
        """One run by id or unique prefix. BadInput when there is none."""

    def demo_model(self) -> Path:
        """The directory of the small real model that ships with the executor."""


def find_executor(name: str = "local") -> Executor:
    """The installed executor of that name. ExecutorMissing says how to get one."""
    for entry in entry_points(group="planner.executors", name=name):
        executor: Executor = entry.load()()
        return executor
    raise ExecutorMissing(f"no executor named {name!r} is installed", fix=GET_EXECUTOR)
