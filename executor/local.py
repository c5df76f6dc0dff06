"""The executor of this machine: applies plans here, and remembers what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from executor.applying import apply_plan
from executor.journal import Journal, JournalledRun
from executor.run import Run
from executor.steps import STEPS
from executor.steps.spec import StepSpec
from executor.workspace import Workspace, home_directory, journal_path
from planner.errors import ExecutorMissing
from planner.plan import Plan, StageKind
from planner.ports import GET_EXECUTOR, Event, RunRecord, StepRecord

DEMO_MODEL = Path(__file__).with_name("demo") / "pydocs-3m"
RUN_ID_LENGTH = 12


class LocalExecutor:
    """Implements `planner.ports.Executor` below `home` (default: quantplan's data directory)."""

    def __init__(self, home: Path | None = None, steps: Mapping[StageKind, StepSpec] | None = None) -> None:
        self._home = home or home_directory()
        self._steps = STEPS if steps is None else steps

    def apply(self, plan: Plan, *, on_event: Callable[[Event], None]) -> RunRecord:
        """Run every stage of the plan; an interrupted or failed run of it goes on, a finished one is verified.

        ExecutionFailed names the step; BadInput when the journal is of another version; ExecutorMissing before anything
        is begun when the executor's own requirements are not installed.
        """
        if find_spec("httpx") is None:
            raise ExecutorMissing("the executor's requirements are not installed (httpx)", fix=GET_EXECUTOR)
        with closing(self._journal()) as journal:
            workspace = Workspace.of(self._home, run_id_of(plan))
            apply_plan(Run(plan, workspace, journal, self._steps, on_event))
            return self._record(journal, journal.run(workspace.run_id))

    def runs(self) -> Sequence[RunRecord]:
        """All runs on this machine, newest first."""
        with closing(self._journal()) as journal:
            return [self._record(journal, run) for run in journal.runs()]

    def show(self, run_id: str) -> RunRecord:
        """One run by id or unique prefix. BadInput when there is none."""
        with closing(self._journal()) as journal:
            return self._record(journal, journal.run(run_id))

    def demo_model(self) -> Path:
        """The directory of the small real model that ships with the executor."""
        return DEMO_MODEL

    def _journal(self) -> Journal:
        return Journal(journal_path(self._home))

    def _record(self, journal: Journal, run: JournalledRun) -> RunRecord:
        in_use = Workspace.of(self._home, run.run_id).in_use
        return RunRecord(
            run_id=run.run_id,
            plan=run.plan,
            state="interrupted" if run.state == "running" and not in_use else run.state,
            started_at=run.started_at,
            ended_at=run.ended_at,
            steps=_steps(run.plan, journal.steps(run.run_id), in_use),
            findings=journal.findings(run.run_id),
            report_path=run.report_path,
        )


def run_id_of(plan: Plan) -> str:
    """The run of a plan: the first digits of the plan's digest."""
    return plan.digest.removeprefix("sha256:")[:RUN_ID_LENGTH]


def _steps(plan: Plan, begun: Mapping[str, StepRecord], in_use: bool) -> tuple[StepRecord, ...]:
    """The plan's stages in order; one that a kill left "running" is pending again."""
    waiting = [StepRecord(stage.name, "pending", None, None, {}, None, None) for stage in plan.stages]
    records = [begun.get(record.name, record) for record in waiting]
    return tuple(
        StepRecord(r.name, "pending", r.started_at, None, {}, None, r.log_path)
        if r.state == "running" and not in_use
        else r
        for r in records
    )
