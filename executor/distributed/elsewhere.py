"""A step whose work is a job of a cluster: submitted, watched with deadlines, taken up again, tried on another node."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from executor.distributed.jobs import ENDED, Job, Jobs, JobState, Needs, Unreachable
from executor.distributed.settings import Patience
from executor.distributed.task import FOLDER, UNSEEN_STATUS, Attempt, Outcome, Task, attempts_in
from executor.step import Result, StepContext
from planner import __version__
from planner.errors import ExecutionFailed
from planner.plan import Plan, Stage

KEY_LENGTH = 16
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt that will not end any more: its node, or the head's memory of it, is gone."""

    why: str


@dataclass(slots=True)
class Cluster:
    """Where steps are sent: the jobs, what each stage asks for, and the servers that are held there now."""

    jobs: Jobs
    patience: Patience
    needs: Callable[[Plan, Stage, Mapping[str, Result]], Needs]
    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = "python"
    held: list[str] = field(default_factory=list)

    def patiently(self, ask: Callable[[], Answer], tell: Callable[[str, float | None], None], run_id: str) -> Answer:
        """The cluster's answer, asked again while it is silent. ExecutionFailed after `head_silent_s`."""
        since, told = time.monotonic(), False
        while True:
            try:
                return ask()
            except Unreachable as silence:
                if time.monotonic() - since > self.patience.head_silent_s:
                    raise self.silent(str(silence), run_id) from None
                if not told:
                    tell(f"{self.jobs.address} does not answer; the run waits for it", None)
                told = True
                time.sleep(self.patience.poll_s)

    def silent(self, why: str, run_id: str) -> ExecutionFailed:
        return ExecutionFailed(
            f"the cluster has not answered for {self.patience.head_silent_s:.0f} s ({why})",
            where=self.jobs.address,
            fix=f"bring its head or the network back, then go on: quantplan apply {run_id} --on ray (steps that are"
            " finished stand, and jobs that still run are taken up again)",
        )

    def end_held(self, tell: Callable[[str, float | None], None], run_id: str) -> None:
        """Ask every server that this run holds to end. One that cannot be told ends with its lease."""
        while self.held:
            job_id = self.held.pop()
            self.patiently(lambda: self.jobs.stop(job_id), tell, run_id)  # noqa: B023


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """One kind of step, carried out as a job. `holds`: its job lives on with a server; `uses`: it needs that server."""

    cluster: Cluster
    holds: bool = False
    uses: bool = False

    def __call__(self, context: StepContext) -> Result:
        """What the same step returns on one machine. ExecutionFailed also when the cluster is silent for too long,
        cannot hold the step, or loses it as often as it is tried.
        """
        cluster, run_id = self.cluster, context.workspace.name
        if not self.uses:
            cluster.end_held(context.report, run_id)
        needs = cluster.patiently(
            lambda: cluster.needs(context.plan, context.stage, context.results), context.report, run_id
        )
        lost: list[str] = []
        while len(lost) < cluster.patience.attempts:
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
        for attempt in earlier if self.holds else ():
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
        return {**(outcome.result or {}), "ran_on": {"node": outcome.node, "address": state.node, "job": job_id}}

    def given_up(self, lost: list[str], context: StepContext) -> ExecutionFailed:
        told = "\n".join(f"  {number}. {why}" for number, why in enumerate(lost, 1))
        return ExecutionFailed(
            f"its node was lost {len(lost)} times:\n{told}",
            where=self.cluster.jobs.address,
            fix="see what ends those nodes (memory, preemption), then go on:"
            f" quantplan apply {context.workspace.name} --on ray",
        )


@dataclass(slots=True)
class Watch:
    """One attempt being waited for. Each silence has its own deadline, by this machine's clock alone."""

    cluster: Cluster
    attempt: Attempt
    job_id: str
    context: StepContext
    began: float = field(default_factory=time.monotonic)
    answered: float = field(default_factory=time.monotonic)
    running_since: float | None = None
    beat: tuple[int, float] | None = None
    told: tuple[str, float | None] | None = None

    def until_it_ends(self) -> Outcome | Lost:
        while True:
            if (outcome := self.attempt.outcome()) is not None:
                return outcome
            self.listen()
            if (state := self.state()) is not None and (lost := self.judged(state)) is not None:
                return lost
            time.sleep(self.cluster.patience.poll_s)

    def listen(self) -> None:
        """Pass on the latest beat."""
        beat = self.attempt.beat()
        if beat is not None and (self.beat is None or self.beat[0] != beat.count):
            self.beat = (beat.count, time.monotonic())
            self.tell(f"{beat.message} (on {beat.node})", beat.fraction)

    def tell(self, message: str, fraction: float | None = None) -> None:
        """Report it, once."""
        if self.told != (message, fraction):
            self.told = (message, fraction)
            self.context.report(message, fraction)

    def state(self) -> JobState | None:
        """What the head says; None while it is silent. ExecutionFailed when it has been for too long."""
        try:
            state = self.cluster.jobs.state(self.job_id)
        except Unreachable as silence:
            silent_s = time.monotonic() - self.answered
            if silent_s > self.cluster.patience.head_silent_s:
                raise self.cluster.silent(str(silence), self.context.workspace.name) from None
            self.tell(f"{self.cluster.jobs.address} does not answer; the run waits for it")
            return None
        self.answered = time.monotonic()
        return state

    def judged(self, state: JobState) -> Outcome | Lost | None:
        """What a state means: None while there is something to wait for."""
        if state.phase == "pending":
            return self.pending()
        if state.phase == "running":
            return self.running()
        time.sleep(self.cluster.patience.settle_s)
        return self.attempt.outcome() or self.ended(state)

    def pending(self) -> None:
        waited_s, patience = time.monotonic() - self.began, self.cluster.patience
        if waited_s > patience.pending_s:
            self.cluster.jobs.stop(self.job_id)
            raise ExecutionFailed(
                f"the cluster had no room for the step for {waited_s:.0f} s",
                where=f"{self.cluster.jobs.address}, job {self.job_id}",
                fix="wait until other jobs end, or add nodes; then apply again",
            )
        if self.beat is None:
            self.tell("waiting for room on the cluster")

    def running(self) -> Lost | None:
        """Lost when no beat has come for too long: the node hangs, or sees the folder no more."""
        now, patience = time.monotonic(), self.cluster.patience
        self.running_since = self.running_since or now
        since, allowed = (self.beat[1], patience.node_silent_s) if self.beat else (self.running_since, patience.start_s)
        if now - since <= allowed:
            return None
        self.cluster.jobs.stop(self.job_id)
        return Lost(f"its node has said nothing for {now - since:.0f} s")

    def ended(self, state: JobState) -> Lost:
        """The job ended without an outcome. ExecutionFailed where its own program says why; else it was lost."""
        if state.exit_status == UNSEEN_STATUS:
            raise ExecutionFailed(
                f"the node does not see {self.attempt.folder}",
                where=f"{self.cluster.jobs.address}, job {self.job_id}",
                fix="mount the directory that QUANTPLAN_HOME names on every node, at the same path",
            )
        if state.exit_status == 1 and self.beat is None:
            said = self.cluster.jobs.log_tail(self.job_id)
            raise ExecutionFailed(
                f"quantplan could not start on the node:\n{said}",
                where=f"{self.cluster.jobs.address}, job {self.job_id}",
                fix=f"pip install 'quantplan[executor]=={__version__}' on every node, in the Python that Ray runs in",
            )
        return Lost(state.message.strip().splitlines()[0] if state.message.strip() else f"its job {state.phase}")


def job_id_of(run_id: str, stage: Stage, attempt: Attempt) -> str:
    """An id that names the step's inputs and the attempt: submitting it twice is submitting it once."""
    return f"quantplan-{run_id}-{stage.name}-{attempt.folder.parent.name}-{attempt.number:02d}"
