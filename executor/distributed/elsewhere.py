"""A step whose work is a job of a cluster: submitted, taken up again where it still runs, tried on another node."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from executor.distributed.cluster import Cluster
from executor.distributed.jobs import ENDED, Job, Needs
from executor.distributed.task import FOLDER, Attempt, Outcome, Task, attempts_in
from executor.distributed.watching import Lost, Watch
from executor.step import Result, StepContext
from planner import __version__
from planner.errors import ExecutionFailed
from planner.plan import Stage

KEY_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """One kind of step, carried out as a job. `holds`: its job lives on with a server; `uses`: it needs that server.

    `listens` and `is_worker` are the task's.
    """

    cluster: Cluster
    holds: bool = False
    uses: bool = False
    listens: bool = False
    is_worker: bool = False

    def __call__(self, context: StepContext) -> Result:
        """What the same step returns on one machine. ExecutionFailed also when the cluster cannot hold the step."""
        cluster, run_id = self.cluster, context.workspace.name
        if not self.uses:
            cluster.end_held(context.report, run_id)
        needs = cluster.patiently(
            lambda: cluster.needs(context.plan, context.stage, context.results), context.report, run_id
        )
        return self.attempted(context, needs)

    def attempted(self, context: StepContext, needs: Needs) -> Result:
        """The same as a job that asks for these. ExecutionFailed also when the cluster is silent for too long, or loses
        it as often as it is tried.
        """
        lost: list[str] = []
        while len(lost) < self.cluster.patience.attempts:
            attempt, job_id = self.begun(context, needs, anew=bool(lost))
            end = self.watched(attempt, job_id, context)
            if isinstance(end, Outcome):
                return self.taken(end, attempt, job_id, context)
            lost.append(end.why)
            context.report(f"lost: {end.why}; trying again", None)
        raise self.given_up(lost, context)

    # Attempts

    def begun(self, context: StepContext, needs: Needs, *, anew: bool = False) -> tuple[Attempt, str]:
        """The attempt that still runs or has ended well; else, or `anew`, the next one, submitted."""
        run_id, earlier = context.workspace.name, attempts_in(self.folder(context))
        if earlier and not anew and not self.holds and self.goes_on(earlier[-1], context):
            return earlier[-1], job_id_of(run_id, context.stage, earlier[-1])
        for attempt in (a for a in earlier if self.holds and not a.is_kept):
            stale = job_id_of(run_id, context.stage, attempt)
            self.cluster.patiently(lambda: self.cluster.jobs.stop(stale), context.report, run_id)  # noqa: B023
        attempt = Attempt(self.folder(context) / f"{len(earlier) + 1:02d}")
        attempt.write_task(self.task(context))
        job = self.job(attempt, context, needs)
        if self.holds:
            self.cluster.held.append(job.job_id)
        self.cluster.patiently(lambda: self.cluster.jobs.submit(job), context.report, run_id)
        return attempt, job.job_id

    def goes_on(self, attempt: Attempt, context: StepContext) -> bool:
        """Whether an attempt of before is worth waiting for: it ended well, or its job has not ended."""
        if (outcome := attempt.outcome()) is not None:
            return outcome.result is not None and not self.uses
        job_id = job_id_of(context.workspace.name, context.stage, attempt)
        ask = lambda: self.cluster.jobs.state(job_id)  # noqa: E731
        return self.cluster.patiently(ask, context.report, context.workspace.name).phase not in ENDED

    def folder(self, context: StepContext) -> Path:
        """Where the attempts at this step with these inputs lie."""
        inputs = {name: context.results[name].get("artifacts", []) for name in context.results}
        stages = [[s.name, s.kind, s.parameters] for s in context.plan.stages]
        asked = stages[: context.plan.stages.index(context.stage) + 1]
        key = hashlib.sha256(json.dumps([__version__, asked, inputs], sort_keys=True).encode()).hexdigest()
        return context.workspace / FOLDER / context.stage.name / key[:KEY_LENGTH]

    def task(self, context: StepContext) -> Task:
        """The task as the node gets it: the ladder stays here, where it is decided to fall."""
        return Task(
            quantplan_version=__version__,
            run_id=context.workspace.name,
            plan=context.plan.model_copy(update={"ladder": (), "ways": {}}),
            stage=context.stage,
            workspace=str(context.workspace),
            log_path=str(context.log_path),
            results={name: dict(result) for name, result in context.results.items()},
            beat_s=self.cluster.patience.beat_s,
            lease_s=self.cluster.patience.lease_s,
            listens=self.listens,
            is_worker=self.is_worker,
        )

    def job(self, attempt: Attempt, context: StepContext, needs: Needs) -> Job:
        command = (self.cluster.python, "-m", "executor.distributed.node", str(attempt.folder))
        run_id = context.workspace.name
        labels = {"quantplan_run": run_id, "quantplan_step": context.stage.name}
        return Job(job_id_of(run_id, context.stage, attempt), command, needs, self.cluster.environment, labels)

    # Watching

    def watched(self, attempt: Attempt, job_id: str, context: StepContext) -> Outcome | Lost:
        """Wait for the attempt's outcome, and tell what its beats say. The job is stopped when we are."""
        try:
            return Watch(self.cluster, attempt, job_id, context).until_it_ends()
        except KeyboardInterrupt:
            self.cluster.jobs.stop(job_id)
            raise

    def taken(self, outcome: Outcome, attempt: Attempt, job_id: str, context: StepContext) -> Result:
        """The outcome as the step's own: its result or its error, its usage, and its log where that is another."""
        context.processes.used_elsewhere(outcome.usage)
        log_path = Path(attempt.task().log_path)
        if log_path != context.log_path and log_path.is_file():
            shutil.copyfile(log_path, context.log_path)
        if outcome.failure is not None:
            if job_id in self.cluster.held:
                self.cluster.held.remove(job_id)
            raise outcome.failure.error()
        state = self.cluster.patiently(lambda: self.cluster.jobs.state(job_id), context.report, context.workspace.name)
        where = {"node": outcome.node, "address": state.node, "job": job_id, "attempt": str(attempt.folder)}
        return {**(outcome.result or {}), "ran_on": where}

    def given_up(self, lost: list[str], context: StepContext) -> ExecutionFailed:
        told = "\n".join(f"  {number}. {why}" for number, why in enumerate(lost, 1))
        return ExecutionFailed(
            f"its node was lost {len(lost)} times:\n{told}",
            where=self.cluster.jobs.address,
            fix="see what ends those nodes (memory, preemption), then go on:"
            f" quantplan apply {context.workspace.name} --on ray",
        )


def job_id_of(run_id: str, stage: Stage, attempt: Attempt) -> str:
    """An id that names the step's inputs and the attempt: submitting it twice is submitting it once."""
    return f"quantplan-{run_id}-{stage.name}-{attempt.folder.parent.name}-{attempt.number:02d}"
