"""A real Ray cluster of two nodes on this machine, real llama.cpp: a node dies, a server is kept, the head dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="pip install 'quantplan[ray]'")

from ray_cluster import RayCluster, ray_cluster

from executor.deployments.health import answers
from executor.distributed.ray_executor import RayExecutor
from executor.distributed.settings import RaySettings, ray_settings
from executor.local import DEMO_MODEL, LocalExecutor
from planner.errors import ExecutionFailed
from planner.plan import Plan
from planner.planning import make_plan
from planner.ports import ApplyOptions, Event
from planner.request import Request, Workload

pytestmark = pytest.mark.real_engine
SHORT = Workload(input_tokens=64, output_tokens=16, concurrency=2)
SERVED = ("fetch", "keep-original", "convert", "quantize", "launch", "check-applied", "load-test", "findings", "report")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster(2, num_cpus=1, memory=4 * 2**30) as running:
        yield running


def plan_of(format: str) -> Plan:
    """Made, served and measured; without the evaluations, which take longest."""
    plan = make_plan(
        Request.model_validate({"model": str(DEMO_MODEL), "hardware": "cpu:8GB", "format": format, "workload": SHORT})
    )
    return plan.with_stages(stage for stage in plan.stages if stage.kind in SERVED)


def patient_for(seconds: float) -> RaySettings:
    settings = ray_settings()
    patience = settings.patience.model_copy(update={"head_silent_s": seconds})
    return settings.model_copy(update={"patience": patience})


def once(step: str, words: str, act: Callable[[], None], said: list[Event]) -> Callable[[Event], None]:
    """Act the first time that the step says these words."""
    acted: list[bool] = []

    def on_event(event: Event) -> None:
        said.append(event)
        if event.step == step and words in event.message and not acted:
            acted.append(True)
            act()

    return on_event


def test_a_plan_is_made_served_and_kept_though_a_node_dies(cluster: RayCluster, tmp_path: Path) -> None:
    said: list[Event] = []

    def kill_the_busy_node() -> None:
        (busy,) = [job["driver_node_id"] for job in cluster.jobs() if job["status"] == "RUNNING"]
        cluster.kill_node(busy)

    on_event = once("convert", "started", kill_the_busy_node, said)
    record = RayExecutor(tmp_path).apply(
        plan_of("gguf-q8_0"), on_event=on_event, options=ApplyOptions(address=cluster.address, keep=True)
    )
    assert record.state == "done" and {step.state for step in record.steps} == {"done"}
    assert [event for event in said if event.message.startswith("lost: ")]
    convert = next(step for step in record.steps if step.name == "convert")
    assert convert.result["ran_on"]["job"].endswith("-02")
    measured = {finding.name: finding.measured for finding in record.findings}
    assert measured["output_tokens_per_s"] and measured["kv_cache_gib"]
    assert not list(tmp_path.rglob("*.partial-*"))
    (kept,) = LocalExecutor(tmp_path).deployments()
    assert kept.healthy and kept.note == "" and answers(kept.url, kept.service)
    assert LocalExecutor(tmp_path).stop(record.run_id).state == "stopped"
    server = next(step for step in record.steps if step.name == "launch").result["pid"]
    assert comes_true(lambda: not Path(f"/proc/{server}").exists(), within_s=30)


def test_a_head_that_dies_is_reported_and_the_run_stays_resumable(cluster: RayCluster, tmp_path: Path) -> None:
    executor, plan = RayExecutor(tmp_path, patient_for(3)), plan_of("gguf-q4_k_m")
    on_event = once("convert", "started", cluster.kill_head, [])
    began = time.monotonic()
    with pytest.raises(ExecutionFailed, match=r"the cluster has not answered for 3 s[\s\S]*--on ray"):
        executor.apply(plan, on_event=on_event, options=ApplyOptions(address=cluster.address))
    assert time.monotonic() - began < 120
    assert executor.runs()[0].state == "failed"


def comes_true(condition: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)
    return condition()
