"""A step as a job: taken up again, tried on another node, and every silence with an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from executor.artifacts import write_text
from executor.distributed import node
from executor.distributed.cluster import Cluster
from executor.distributed.elsewhere import Elsewhere
from executor.distributed.jobs import Job, JobState, Needs, Node, Unreachable
from executor.distributed.settings import Patience
from executor.distributed.task import Attempt, Beat, Failure, Outcome, write_whole
from executor.local import DEMO_MODEL
from executor.processes import Processes, ToolFailed
from executor.step import Result, StepContext
from executor.steps.spec import StepSpec
from executor.toolchains import Toolchains
from planner.errors import BadInput, ExecutionFailed
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request

HASTE = Patience(
    request_s=1, poll_s=0.01, head_silent_s=0.2, node_silent_s=0.2, pending_s=0.2, start_s=0.2,
    settle_s=0, lost_s=0, beat_s=0.05, lease_s=0.3, attempts=3,
)  # fmt: skip
Script = Callable[[Attempt], JobState]


@dataclass
class FakeJobs:
    """A cluster whose jobs do what the test says, one entry of `script` a submission."""

    script: list[Script]
    address: str = "http://head:8265"
    submitted: dict[str, JobState] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    silent: bool = False

    def require_known(self) -> None: ...

    def nodes(self) -> tuple[Node, ...]:
        return ()

    def submit(self, job: Job) -> None:
        self._answer()
        self.submitted[job.job_id] = self.script[len(self.submitted)](Attempt(Path(job.command[-1])))

    def state(self, job_id: str) -> JobState:
        self._answer()
        return self.submitted.get(job_id, JobState("unknown", "the head knows no such job"))

    def stop(self, job_id: str) -> None:
        self.stopped.append(job_id)

    def log_tail(self, job_id: str) -> str:
        return "No module named executor"

    def _answer(self) -> None:
        if self.silent:
            raise Unreachable("ConnectError: refused")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(Request(model=str(DEMO_MODEL), hardware="cpu:8GB"))


@pytest.fixture
def context(plan: Plan, tmp_path: Path) -> StepContext:
    stage = next(stage for stage in plan.stages if stage.kind == "quantize")
    workspace = tmp_path / "runs" / "0123456789ab"
    (workspace / "logs").mkdir(parents=True)
    log_path, said = workspace / "logs" / "quantize.log", []
    return StepContext(
        plan, stage, workspace, {}, log_path, lambda message, _: said.append(message), Toolchains(), Processes()
    )


def step(*script: Script) -> tuple[Elsewhere, FakeJobs]:
    jobs = FakeJobs(list(script))
    return Elsewhere(Cluster(jobs, HASTE, lambda plan, stage, results: Needs())), jobs


def succeeds(attempt: Attempt) -> JobState:
    written = write_text(Path(attempt.task().workspace) / "model.gguf", "weights")
    result = {"path": str(written.path), "artifacts": [written.record()]}
    attempt.write_outcome(Outcome(node="n1", result=result, peak_bytes=7, cpu_s=2.0, wall_s=3.0))
    return JobState("succeeded", node="10.0.0.5")


def dies(attempt: Attempt) -> JobState:
    return JobState("failed", "Job supervisor actor died because its node has died.\nmore")


def runs(attempt: Attempt) -> JobState:
    return JobState("running")


def test_the_result_comes_back_with_where_it_was_made_and_what_it_took(context: StepContext) -> None:
    elsewhere, _ = step(succeeds)
    result = elsewhere(context)
    assert Path(result["path"]).read_text() == "weights"
    assert result["ran_on"]["node"] == "n1" and result["ran_on"]["address"] == "10.0.0.5"
    used = context.processes.take_usage()
    assert (used.peak_bytes, used.cpu_s, used.wall_s) == (7, 2.0, 3.0)


def test_a_lost_node_is_survived(context: StepContext) -> None:
    elsewhere, jobs = step(dies, succeeds)
    assert elsewhere(context)["ran_on"]["job"].endswith("-02")
    assert len(jobs.submitted) == 2


def test_a_step_that_loses_every_node_is_given_up(context: StepContext) -> None:
    elsewhere, _ = step(dies, dies, dies)
    with pytest.raises(ExecutionFailed) as failed:
        elsewhere(context)
    died = "Job supervisor actor died because its node has died."
    assert str(failed.value) == (
        f"http://head:8265: its node was lost 3 times:\n  1. {died}\n  2. {died}\n  3. {died}\n"
        "To fix: see what ends those nodes (memory, preemption), then go on: quantplan apply 0123456789ab --on ray"
    )


def test_a_job_that_still_runs_is_taken_up_again(context: StepContext) -> None:
    interrupted, jobs = step(runs)
    jobs.silent = False
    begun, _ = interrupted.begun(context, Needs())
    succeeds(begun)
    again = Elsewhere(interrupted.cluster)
    assert again(context)["ran_on"]["job"].endswith("-01")
    assert len(jobs.submitted) == 1


def test_a_tool_that_failed_fails_here_as_it_did_there_and_is_tried_anew_next_time(context: StepContext) -> None:
    def fails(attempt: Attempt) -> JobState:
        failure = Failure.of(ToolFailed("out of memory", fix="", exit_status=137))
        attempt.write_outcome(Outcome(node="n1", failure=failure))
        return JobState("succeeded")

    elsewhere, jobs = step(fails, succeeds)
    with pytest.raises(ToolFailed, match="out of memory") as failed:
        elsewhere(context)
    assert failed.value.exit_status == 137
    assert elsewhere(context)["path"]
    assert len(jobs.submitted) == 2


def test_a_head_that_stays_silent_is_reported(context: StepContext) -> None:
    elsewhere, jobs = step()
    jobs.silent = True
    began = time.monotonic()
    with pytest.raises(ExecutionFailed) as failed:
        elsewhere(context)
    assert time.monotonic() - began < 5
    assert str(failed.value) == (
        "http://head:8265: the cluster has not answered for 0 s (ConnectError: refused)\n"
        "To fix: bring its head or the network back, then go on: quantplan apply 0123456789ab --on ray (steps that are"
        " finished stand, and jobs that still run are taken up again)"
    )


def test_a_head_that_falls_silent_meanwhile_is_reported_too(context: StepContext) -> None:
    elsewhere, jobs = step(runs)
    attempt, job_id = elsewhere.begun(context, Needs())
    jobs.silent = True
    with pytest.raises(ExecutionFailed, match="the cluster has not answered"):
        elsewhere.watched(attempt, job_id, context)


def test_a_node_that_hangs_is_stopped_and_replaced(context: StepContext) -> None:
    def beats_once(attempt: Attempt) -> JobState:
        attempt.write_beat(Beat(count=1, node="n1", message="working"))
        return JobState("running")

    elsewhere, jobs = step(beats_once, succeeds)
    assert elsewhere(context)["ran_on"]["job"].endswith("-02")
    assert [job_id[-2:] for job_id in jobs.stopped] == ["01"]


def test_a_cluster_without_room_is_reported(context: StepContext) -> None:
    elsewhere, jobs = step(lambda attempt: JobState("pending"))
    with pytest.raises(ExecutionFailed, match="the cluster had no room for the step for 0 s"):
        elsewhere(context)
    assert len(jobs.stopped) == 1


def test_a_node_that_does_not_see_the_directory_says_so(context: StepContext) -> None:
    elsewhere, _ = step(lambda attempt: JobState("failed", "exited", exit_status=3))
    with pytest.raises(ExecutionFailed, match="mount the directory that QUANTPLAN_HOME names on every node") as failed:
        elsewhere(context)
    assert "the node does not see" in str(failed.value)


def test_a_node_without_quantplan_says_so(context: StepContext) -> None:
    elsewhere, _ = step(lambda attempt: JobState("failed", "exited", exit_status=1))
    with pytest.raises(ExecutionFailed, match=r"No module named executor[\s\S]*pip install 'quantplan\[executor\]"):
        elsewhere(context)


def test_a_server_of_before_is_ended_and_never_taken_over(context: StepContext) -> None:
    elsewhere, jobs = step(succeeds, succeeds)
    holder = Elsewhere(elsewhere.cluster, holds=True)
    first = holder(context)["ran_on"]["job"]
    second = holder(context)["ran_on"]["job"]
    assert first != second and first in jobs.stopped
    assert elsewhere.cluster.held == [second]


def test_the_next_making_step_ends_what_is_held(context: StepContext) -> None:
    elsewhere, jobs = step(succeeds)
    elsewhere.cluster.held.append("server-1")
    elsewhere(context)
    assert jobs.stopped == ["server-1"] and not elsewhere.cluster.held


# The node's side


def begun(context: StepContext, number: int = 1) -> Attempt:
    elsewhere, _ = step()
    attempt = Attempt(elsewhere.folder(context) / f"{number:02d}")
    attempt.write_task(elsewhere.task(context))
    return attempt


def use_step(monkeypatch: pytest.MonkeyPatch, run: Callable[[StepContext], Result], **how: bool) -> None:
    monkeypatch.setitem(node.STEPS, "quantize", StepSpec(run, **how))


def test_the_node_does_the_step_and_writes_its_outcome(context: StepContext, monkeypatch: pytest.MonkeyPatch) -> None:
    use_step(monkeypatch, lambda there: {"stage": there.stage.name})
    attempt = begun(context)
    assert node.main(str(attempt.folder)) == 0
    outcome, beat = attempt.outcome(), attempt.beat()
    assert outcome and outcome.result == {"stage": "quantize"} and beat


def test_the_node_writes_failures_down(context: StepContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def bad(there: StepContext) -> Result:
        raise BadInput("broken", where="model", fix="mend it")

    use_step(monkeypatch, bad)
    attempt = begun(context)
    assert node.main(str(attempt.folder)) == 0
    outcome = attempt.outcome()
    assert outcome and outcome.failure
    assert isinstance(outcome.failure.error(), BadInput)
    assert str(outcome.failure.error()) == "model: broken\nTo fix: mend it"
    assert "BadInput" in context.log_path.read_text()


def test_the_node_takes_over_what_a_lost_attempt_finished(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_step(monkeypatch, lambda there: pytest.fail("done twice"))
    succeeds(begun(context))
    second = begun(context, 2)
    assert node.main(str(second.folder)) == 0
    outcome = second.outcome()
    assert outcome and outcome.result and outcome.result["path"].endswith("model.gguf")


def test_an_attempt_that_was_given_up_does_nothing(context: StepContext, monkeypatch: pytest.MonkeyPatch) -> None:
    use_step(monkeypatch, lambda there: pytest.fail("done twice"))
    first = begun(context)
    begun(context, 2)
    assert node.main(str(first.folder)) == 4
    assert first.outcome() is None


def test_a_folder_that_is_not_there_is_told_by_status(tmp_path: Path) -> None:
    assert node.main(str(tmp_path / "nowhere")) == 3


def test_another_version_on_the_node_is_refused(context: StepContext, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = begun(context)
    monkeypatch.setattr(node, "__version__", "0.0.1")
    assert node.main(str(attempt.folder)) == 0
    outcome = attempt.outcome()
    assert outcome and outcome.failure and "the node has quantplan 0.0.1" in outcome.failure.what


def test_a_server_is_held_while_its_lease_is_renewed_and_no_longer(context: StepContext) -> None:
    attempt, began = begun(context), time.monotonic()
    renewals = iter(range(3))

    def alive() -> bool:
        if (count := next(renewals, None)) is not None:
            write_whole(attempt.lease_path, f'{{"count": {count}}}')
        return True

    node.hold(attempt, lease_s=0.1, alive=alive, poll_s=0.05)
    assert 0.2 <= time.monotonic() - began < 5


def test_a_server_that_ended_is_not_waited_for(context: StepContext) -> None:
    node.hold(begun(context), lease_s=60, alive=lambda: False)
