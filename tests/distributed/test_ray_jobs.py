"""Ray's REST interface as the executor speaks it, against a head of equal standing."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Iterator

import pytest
from fake_ray import FakeRay, fake_ray

from executor.distributed.jobs import Job, Needs, Unreachable
from executor.distributed.ray_jobs import RayJobs
from planner.errors import BadInput, ExecutionFailed


@pytest.fixture
def head() -> Iterator[FakeRay]:
    with fake_ray(FakeRay()) as running:
        yield running


def test_a_known_version_is_accepted(head: FakeRay) -> None:
    RayJobs(head.address).require_known()


def test_an_unknown_version_is_refused_by_name(head: FakeRay) -> None:
    head.version = {"version": "5", "ray_version": "3.1.0"}
    with pytest.raises(ExecutionFailed) as refused:
        RayJobs(head.address).require_known()
    assert str(refused.value) == (
        f"{head.address}: Ray 3.1.0 with version 5 of its job interface; this executor knows version 4 of Ray 2.x\n"
        "To fix: use a cluster of a known version, or a quantplan that knows this one"
    )


def test_what_is_no_ray_is_named_so(head: FakeRay) -> None:
    head.version = {}
    with pytest.raises(ExecutionFailed, match="what answers there is not Ray"):
        RayJobs(head.address).require_known()


def test_an_address_that_is_not_http_is_refused() -> None:
    with pytest.raises(BadInput) as refused:
        RayJobs("ray://head:10001")
    assert str(refused.value) == (
        "ray://head:10001: Ray's jobs are submitted over HTTP\n"
        "To fix: name the dashboard, such as --address http://HEAD:8265"
    )


def test_an_address_without_its_scheme_is_told_with_it() -> None:
    with pytest.raises(BadInput, match=r"such as --address http://10\.0\.0\.4:8265$"):
        RayJobs("10.0.0.4:8265")


def test_nodes_are_told_with_their_resources(head: FakeRay) -> None:
    head.nodes.append({"node_ip": "10.0.0.6", "state": "DEAD", "resources_total": {}})
    (node,) = RayJobs(head.address).nodes()
    assert (node.address, node.cores, node.gpus, node.gpu_types) == ("10.0.0.5", 8, 1, ("L4",))


def test_a_job_asks_for_what_it_needs_and_is_quoted(head: FakeRay) -> None:
    command = ("python", "-m", "executor.distributed.node", "/shared/a b; rm -rf")
    RayJobs(head.address).submit(
        Job("q-1", command, Needs(cores=2, gpus=1, memory_bytes=7, gpu="L4", beside="10.0.0.5"))
    )
    (asked,) = head.submitted
    assert shlex.split(asked["entrypoint"]) == list(command)
    assert (asked["entrypoint_num_cpus"], asked["entrypoint_num_gpus"], asked["entrypoint_memory"]) == (2, 1, 7)
    assert asked["entrypoint_resources"] == {"accelerator_type:L4": 0.001, "node:10.0.0.5": 0.001}


def test_submitting_twice_is_submitting_once(head: FakeRay) -> None:
    jobs = RayJobs(head.address)
    for _ in range(2):
        jobs.submit(Job("q-1", ("true",), Needs()))
    assert len(head.submitted) == 1


def test_a_refused_job_says_why(head: FakeRay) -> None:
    with pytest.raises(ExecutionFailed, match="Ray refused the job: ValueError: resource quantities must be"):
        RayJobs(head.address).submit(Job("q-1", ("true",), Needs(cores=-1)))


def test_where_a_job_stands(head: FakeRay) -> None:
    jobs = RayJobs(head.address)
    record = {
        "status": "FAILED",
        "message": "gone",
        "driver_exit_code": 3,
        "driver_agent_http_address": "http://10.0.0.5:1",
    }
    head.jobs["q-1"] = record
    state = jobs.state("q-1")
    assert (state.phase, state.message, state.exit_status, state.node) == ("failed", "gone", 3, "10.0.0.5")
    assert jobs.state("q-2").phase == "unknown"


def test_a_head_in_trouble_is_unreachable(head: FakeRay) -> None:
    head.out_of_order = 503
    with pytest.raises(Unreachable, match="it answered 503"):
        RayJobs(head.address).state("q-1")


def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Unreachable, match="ConnectError"):
            RayJobs(address).nodes()
