"""A run: one plan being applied, where, and with which steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from executor.journal import Journal
from executor.steps.spec import StepSpec
from executor.workspace import Workspace
from planner.plan import Plan, Stage, StageKind
from planner.ports import Event, StepState


@dataclass(frozen=True, slots=True)
class Run:
    """One plan being applied: where, with which steps, and who is told."""

    plan: Plan
    workspace: Workspace
    journal: Journal
    steps: Mapping[StageKind, StepSpec]
    on_event: Callable[[Event], None]

    @property
    def run_id(self) -> str:
        return self.workspace.run_id

    def tell(self, stage: Stage, state: StepState, message: str, fraction: float | None = None) -> None:
        self.on_event(Event(stage.name, state, message, fraction))
