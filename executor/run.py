"""A run: one plan being applied, where, and with which steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from executor.deployments.elsewhere import Keeping
from executor.journal import Journal
from executor.ladder.diagnosing import Diagnosis
from executor.ladder.ledger import as_record, falls_of, write_fall
from executor.ladder.rungs import Fall, next_rung, standing
from executor.steps.spec import StepSpec
from executor.workspace import Workspace
from planner.plan import Plan, Stage, StageKind
from planner.ports import NO_OPTIONS, ApplyOptions, Event, EventState, RungRecord


@dataclass(frozen=True, slots=True)
class Run:
    """One plan being applied: where, with which steps, and who is told.

    `asked` is the plan as it was made and names the run; `plan` is what is carried out now, on the rung it stands on.
    `elsewhere`: the options that name the machines it is carried out on, where these are others (`--on ray`);
    `keeping`: how its server is left running there.
    """

    plan: Plan
    workspace: Workspace
    journal: Journal
    steps: Mapping[StageKind, StepSpec]
    on_event: Callable[[Event], None]
    options: ApplyOptions = NO_OPTIONS
    asked: Plan | None = None
    elsewhere: str = ""
    keeping: Keeping | None = None

    @property
    def run_id(self) -> str:
        return self.workspace.run_id

    @property
    def first_plan(self) -> Plan:
        return self.asked or self.plan

    @property
    def resume(self) -> str:
        """The command that goes on with it."""
        return " ".join(filter(None, ("quantplan apply", self.run_id, self.elsewhere)))

    def tell(self, stage: Stage, state: EventState, message: str, fraction: float | None = None) -> None:
        self.on_event(Event(stage.name, state, message, fraction))

    # The ladder

    def falls(self) -> list[Fall]:
        """The rungs taken so far."""
        return falls_of(self.journal, self.run_id, self.first_plan)

    def rungs(self) -> tuple[RungRecord, ...]:
        """The same as people see them."""
        return tuple(as_record(self.first_plan, fall) for fall in self.falls())

    def where_it_stands(self) -> Run:
        """The run on the last rung it took."""
        return replace(self, plan=standing(self.first_plan, self.falls()), asked=self.first_plan)

    def answer_to(self, stage: Stage, diagnosis: Diagnosis) -> int | None:
        """The plan's rung for a trouble at a stage; None when it has none, or is not to fall back."""
        return next_rung(self.first_plan, self.falls(), stage, diagnosis) if self.options.fall_back else None

    def fall(self, stage: Stage, diagnosis: Diagnosis, rung: int) -> Run:
        """Take a rung: written down, told, and then stood on."""
        write_fall(self.journal, self.run_id, stage.name, diagnosis, rung)
        taken = self.first_plan.ladder[rung]
        self.tell(stage, "fallback", f"{diagnosis.says}; now {taken.says} [{taken.source}]")
        return self.where_it_stands()
