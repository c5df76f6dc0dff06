"""One attempt at a step, waited for: what its beats say is told, and each silence has a deadline of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from executor.distributed.cluster import Cluster
from executor.distributed.jobs import JobState, Unreachable
from executor.distributed.task import UNSEEN_STATUS, Attempt, Outcome
from executor.step import StepContext
from planner import __version__
from planner.errors import ExecutionFailed


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt that will not end any more: its node, or the head's memory of it, is gone."""

    why: str


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
