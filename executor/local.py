"""The executor of this machine: applies plans here, and remembers what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from executor import objects
from executor.applying import apply_plan
from executor.cleaning import clean, remove_runs
from executor.cores import on_cores
from executor.deployments import serving
from executor.deployments.deployment import Deployment, all_deployments, as_record, find
from executor.deployments.health import can_be_asked, is_healthy
from executor.examining import LocalExaminer
from executor.journal import Journal, JournalledRun
from executor.ladder.ledger import as_record as as_rung
from executor.ladder.ledger import falls_of
from executor.ladder.rungs import standing
from executor.run import Run
from executor.steps import STEPS
from executor.steps.spec import StepSpec
from executor.workspace import Workspace, home_directory, journal_path
from planner.applying import require_servable
from planner.errors import ExecutorMissing
from planner.plan import Plan, StageKind
from planner.ports import (
    GET_EXECUTOR,
    NO_OPTIONS,
    ApplyOptions,
    DeploymentRecord,
    Event,
    OnMessage,
    Removal,
    RunRecord,
    StepRecord,
    StoredModel,
)

DEMO_MODEL = Path(__file__).with_name("demo") / "pydocs-3m"
RUN_ID_LENGTH = 12


class LocalExecutor:
    """Implements `planner.ports.Executor` below `home` (default: quantplan's data directory)."""

    def __init__(self, home: Path | None = None, steps: Mapping[StageKind, StepSpec] | None = None) -> None:
        self._home = (home or home_directory()).absolute()
        self._steps = STEPS if steps is None else steps

    def apply(self, plan: Plan, *, on_event: Callable[[Event], None], options: ApplyOptions = NO_OPTIONS) -> RunRecord:
        """Run every stage of the plan; an interrupted or failed run of it goes on, a finished one is verified.

        ExecutionFailed names the step; BadInput when the journal is of another version; ExecutorMissing before anything
        is begun when the executor's own requirements are not installed.
        """
        require_servable(plan, "local")
        if find_spec("httpx") is None:
            raise ExecutorMissing("the executor's requirements are not installed (httpx)", fix=GET_EXECUTOR)
        with closing(self._journal()) as journal:
            workspace = Workspace.of(self._home, run_id_of(plan))
            with on_cores(options.cores):
                apply_plan(Run(plan, workspace, journal, self._steps, on_event, options))
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

    def remove_runs(self, run_ids: Sequence[str], *, dry: bool = False) -> Removal:
        """Remove runs by id or unique prefix with all their files; `dry` only says what that would free."""
        with closing(self._journal()) as journal:
            return remove_runs(self._home, journal, [journal.run(run_id).run_id for run_id in run_ids], dry=dry)

    def clean(self, *, older_than_days: float, dry: bool = False) -> Removal:
        """Remove unfinished and old runs, and shared files that no run uses any more."""
        with closing(self._journal()) as journal:
            return clean(self._home, journal, older_than_days=older_than_days, dry=dry)

    def deployments(self) -> Sequence[DeploymentRecord]:
        """The servers left running, newest first; they are asked whether they are well, and so are their clusters."""
        with closing(self._journal()) as journal:
            return [_deployed(serving.as_it_stands(journal, found)) for found in all_deployments(journal)]

    def stop(self, deployment_id: str) -> DeploymentRecord:
        """Stop a server that was left running. BadInput when there is none of that id."""
        with closing(self._journal()) as journal:
            return as_record(serving.stop(journal, find(journal, deployment_id)))

    def promote(self, deployment_id: str) -> DeploymentRecord:
        """Make a healthy server the one in service for its model. ExecutionFailed when it does not answer."""
        with closing(self._journal()) as journal:
            found = serving.as_it_stands(journal, find(journal, deployment_id))
            return _deployed(serving.promote(journal, found, self._home))

    def rollback(self, service: str) -> DeploymentRecord:
        """Serve the kept full-precision original again, in the place of what is in service for the model."""
        with closing(self._journal()) as journal:
            return _deployed(serving.rollback(journal, service, self._home))

    def require_store(self, address: str) -> None:
        """BadInput or ExecutionFailed unless the object store is there and may be used from here."""
        objects.require_store(address)

    def push_artefacts(self, source: Path, address: str, *, on_message: OnMessage) -> StoredModel:
        """Put a model directory or GGUF file into an object store, whole or not at all; a cut upload goes on."""
        return objects.push_model(source, address, on_message)

    def pull_artefacts(self, address: str, directory: Path, *, on_message: OnMessage) -> StoredModel:
        """Fetch a whole model from an object store, every file checked; a cut download goes on."""
        return objects.pull_model(address, directory, on_message)

    def examiner(self) -> LocalExaminer:
        """Who puts servers and runs of this machine under load, and compares models with their originals."""
        return LocalExaminer(self, self._home / "runs")

    def _journal(self) -> Journal:
        return Journal(journal_path(self._home))

    def _record(self, journal: Journal, run: JournalledRun) -> RunRecord:
        in_use = Workspace.of(self._home, run.run_id).in_use
        falls = falls_of(journal, run.run_id, run.plan)
        return RunRecord(
            run_id=run.run_id,
            plan=run.plan,
            state="interrupted" if run.state == "running" and not in_use else run.state,
            started_at=run.started_at,
            ended_at=run.ended_at,
            steps=_steps(standing(run.plan, falls), journal.steps(run.run_id), in_use),
            findings=journal.findings(run.run_id),
            report_path=run.report_path,
            rungs=tuple(as_rung(run.plan, fall) for fall in falls),
            deployments=tuple(as_record(d) for d in all_deployments(journal) if d.run_id == run.run_id),
        )


def _deployed(deployment: Deployment) -> DeploymentRecord:
    asked = deployment.state == "running" and can_be_asked(deployment.url)
    healthy = is_healthy(deployment.url) if asked else None
    return as_record(deployment, healthy=healthy)


def run_id_of(plan: Plan) -> str:
    """The run of a plan: the first digits of the plan's digest."""
    return plan.digest.removeprefix("sha256:")[:RUN_ID_LENGTH]


def _steps(plan: Plan, begun: Mapping[str, StepRecord], in_use: bool) -> tuple[StepRecord, ...]:
    """The plan's stages in order; one that a kill left "running" is pending again."""
    waiting = [StepRecord(stage.name, "pending", None, None, {}, None, None) for stage in plan.stages]
    records = [begun.get(record.name, record) for record in waiting]
    return tuple(
        replace(r, state="pending", ended_at=None, result={}, error=None) if r.state == "running" and not in_use else r
        for r in records
    )
