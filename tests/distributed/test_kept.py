"""A server on a cluster: kept until it is released, and otherwise gone within its lease, however the apply ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from jobs_here import HASTE, JobsHere, hasty, nodes_here
from left_over import in_child, processes_with

from executor.distributed import kept
from executor.distributed.jobs import Node
from executor.distributed.ray_executor import RayExecutor
from executor.local import DEMO_MODEL, LocalExecutor
from planner.errors import ExecutionFailed
from planner.plan import Plan
from planner.planning import make_plan
from planner.ports import ApplyOptions, Event, RunRecord
from planner.request import Request

KEEP = ApplyOptions(keep=True)
STAGES = ("fetch", "launch", "load-test")
PAST_ITS_LEASE_S = HASTE.lease_s + 0.5


@pytest.fixture(scope="module")
def plan() -> Plan:
    whole = make_plan(Request(model=str(DEMO_MODEL), hardware="cpu:8GB"))
    return whole.with_stages(stage for stage in whole.stages if stage.kind in STAGES)


@pytest.fixture(scope="module")
def nodes() -> Iterator[subprocess.Popen[str]]:
    with nodes_here() as running:
        yield running


@pytest.fixture
def jobs(tmp_path: Path, nodes: subprocess.Popen[str]) -> Iterator[JobsHere]:
    cluster = JobsHere(tmp_path / "cluster", f"quantplan-test-{uuid.uuid4()}", nodes)
    yield cluster
    for process in processes_with(cluster.marker):
        process.kill()


@pytest.fixture
def local(tmp_path: Path, jobs: JobsHere, monkeypatch: pytest.MonkeyPatch) -> LocalExecutor:
    """This machine's executor, which asks after what was kept."""
    holder = partial(kept.RayHolder, connect=lambda address: jobs, settings=hasty())
    monkeypatch.setattr(kept, "RayHolder", holder)
    return LocalExecutor(tmp_path / "home")


@pytest.fixture
def apply(tmp_path: Path, plan: Plan, jobs: JobsHere) -> Callable[..., RunRecord]:
    executor = RayExecutor(tmp_path / "home", hasty(), connect=lambda address: jobs)

    def applied(options: ApplyOptions = KEEP, on_event: Callable[[Event], None] = lambda event: None) -> RunRecord:
        return executor.apply(plan, on_event=on_event, options=options)

    return applied


Apply = Callable[..., RunRecord]


def test_a_kept_server_outlives_its_lease_until_it_is_stopped(
    apply: Apply, local: LocalExecutor, jobs: JobsHere
) -> None:
    said: list[Event] = []
    record = apply(on_event=said.append)
    (found,) = local.deployments()
    assert said[-1].message == f"left running at {found.url}; quantplan stop {record.run_id} ends it"
    time.sleep(PAST_ITS_LEASE_S)
    (found,) = local.deployments()
    assert (found.state, found.healthy, found.role, found.note) == ("running", True, "kept", "")
    assert httpx.get(f"{found.url}/health").status_code == 200
    assert local.stop(found.deployment_id).state == "stopped"
    assert jobs.all_end() and local.deployments()[0].state == "stopped"


def test_without_keep_nothing_is_left(apply: Apply, local: LocalExecutor, jobs: JobsHere) -> None:
    apply(ApplyOptions())
    assert jobs.all_end() and local.deployments() == []


def test_applying_again_only_looks_after_it(apply: Apply, local: LocalExecutor) -> None:
    apply()
    before, said = local.deployments()[0], []
    apply(on_event=said.append)
    apply(ApplyOptions())
    assert said[-1].message == f"still running and healthy at {before.url}"
    assert local.deployments() == [before]


def test_a_node_that_dies_is_reported_and_nothing_of_it_stays(
    apply: Apply, local: LocalExecutor, jobs: JobsHere
) -> None:
    record = apply()
    jobs.kill(record.steps[1].result["ran_on"]["job"])
    assert jobs.all_end()
    (found,) = local.deployments()
    assert (found.state, found.healthy, found.note) == ("ended", None, "its node died")


def test_a_silent_head_is_reported_beside_what_the_server_says_itself(
    apply: Apply, local: LocalExecutor, jobs: JobsHere
) -> None:
    apply()
    jobs.head.unlink()
    (found,) = local.deployments()
    assert (found.state, found.healthy) == ("running", True)
    assert found.note == ("http://head:8265 does not answer (ConnectError: refused); the server was asked itself")


def test_a_server_of_a_silent_head_is_released_and_ends(apply: Apply, local: LocalExecutor, jobs: JobsHere) -> None:
    record = apply()
    jobs.head.unlink()
    stopped = local.stop(record.run_id)
    assert stopped.state == "stopped" and stopped.note == (
        "http://head:8265 does not answer (ConnectError: refused); it was released, and ends within 1 s where its node"
        " still runs"
    )
    assert jobs.all_end()


def test_a_head_that_lost_its_memory_does_not_make_a_server_an_orphan(
    apply: Apply, local: LocalExecutor, jobs: JobsHere
) -> None:
    record = apply()
    jobs.forgotten.append(record.steps[1].result["ran_on"]["job"])
    (found,) = local.deployments()
    assert found.state == "running" and found.note == (
        "the head at http://head:8265 has lost its memory of it; it answers all the same"
    )
    assert local.stop(record.run_id).note == "it was released, and ends within 1 s where its node still runs"
    assert jobs.all_end()


def test_it_is_promoted_and_rolled_back_at_its_own_address(
    apply: Apply, local: LocalExecutor, jobs: JobsHere, tmp_path: Path
) -> None:
    record = apply()
    promoted = local.promote(record.run_id)
    assert promoted.role == "live" and (tmp_path / "home" / "live" / "pydocs-3m.json").is_file()
    back = local.rollback("pydocs-3m")
    assert (back.role, back.url, back.healthy) == ("original", promoted.url, True)
    time.sleep(PAST_ITS_LEASE_S)
    states = {found.deployment_id: found.state for found in local.deployments()}
    assert states == {record.run_id: "stopped", f"{record.run_id}-original": "running"}
    local.stop(f"{record.run_id}-original")
    assert jobs.all_end()


def test_a_rollback_whose_node_is_gone_says_so_at_once(
    apply: Apply, local: LocalExecutor, jobs: JobsHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = apply()
    local.promote(record.run_id)
    monkeypatch.setattr(jobs, "nodes", lambda: (Node("127.0.0.9", 8, 0, 64 * 2**30),))
    with pytest.raises(
        ExecutionFailed, match=r"no node of the cluster has .*the address 127\.0\.0\.1; its nodes: 1 with"
    ):
        local.rollback("pydocs-3m")
    assert jobs.all_end()


def test_what_does_not_answer_is_not_promoted(apply: Apply, local: LocalExecutor, jobs: JobsHere) -> None:
    record = apply()
    jobs.kill(record.steps[1].result["ran_on"]["job"])
    assert jobs.all_end()
    with pytest.raises(ExecutionFailed, match=f"deployment {record.run_id} does not answer, so it is not promoted"):
        local.promote(record.run_id)


def test_no_such_cluster_is_said_at_once(tmp_path: Path, plan: Plan) -> None:
    nobody = "http://127.0.0.1:9"
    with pytest.raises(ExecutionFailed) as refused:
        RayExecutor(tmp_path / "home").apply(plan, on_event=lambda _: None, options=ApplyOptions(address=nobody))
    assert str(refused.value) == (
        "http://127.0.0.1:9: no Ray cluster answers there (ConnectError: [Errno 111] Connection refused)\n"
        "To fix: name the dashboard of one that runs (--address http://HEAD:8265, or QUANTPLAN_RAY_ADDRESS), or start"
        " one: ray start --head --dashboard-host 0.0.0.0"
    )


def test_what_no_node_can_hold_is_said_before_anything_is_begun(tmp_path: Path, jobs: JobsHere) -> None:
    plan = make_plan(Request(model=str(DEMO_MODEL), hardware="1xL4", engine="vllm", format="bf16"))
    executor = RayExecutor(tmp_path / "home", hasty(), connect=lambda address: jobs)
    with pytest.raises(ExecutionFailed) as refused:
        executor.apply(plan, on_event=lambda event: pytest.fail(event.message))
    assert str(refused.value) == (
        "plan for pydocs-3m, on http://head:8265: no node of the cluster has 1 x L4, 1 core; its nodes: 2 with 8 cores,"
        " 64 GiB\n"
        "To fix: plan for what the cluster has (quantplan plan MODEL --on COUNTxGPU), or add such a node to it"
    )
    assert executor.runs() == []


# However an apply ends


def at(step: str, said: str, act: Callable[[], None]) -> Callable[[Event], None]:
    def on_event(event: Event) -> None:
        if event.step == step and said in (event.state, event.message.partition(" ")[0]):
            act()

    return on_event


@pytest.mark.parametrize(("step", "said"), [("launch", "started"), ("launch", "done"), ("load-test", "running")])
def test_no_server_outlives_an_apply_that_was_killed(step: str, said: str, apply: Apply, jobs: JobsHere) -> None:
    killed = at(step, said, lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert in_child(lambda: apply(on_event=killed)) == -signal.SIGKILL
    assert jobs.all_end(within_s=HASTE.lease_s + 5)


def test_a_server_that_was_written_down_but_not_let_go_ends_and_is_told_as_ended(
    apply: Apply, jobs: JobsHere, local: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept.KeptOnRay, "let_go", lambda keeping, holding: os.kill(os.getpid(), signal.SIGKILL))
    assert in_child(apply) == -signal.SIGKILL
    assert jobs.all_end(within_s=HASTE.lease_s + 5)
    assert [found.state for found in local.deployments()] == ["ended"]


@pytest.mark.parametrize(("step", "said"), [("launch", "started"), ("load-test", "running")])
def test_ctrl_c_ends_the_server_at_once(
    step: str, said: str, apply: Apply, jobs: JobsHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ExecutionFailed, match=r"stopped before its end[\s\S]*quantplan apply [0-9a-f]{12} --on ray"):
        apply(on_event=at(step, said, lambda: os.kill(os.getpid(), signal.SIGINT)))
    assert jobs.all_end()
