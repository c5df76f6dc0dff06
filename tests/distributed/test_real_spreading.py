"""One copy over nodes of a real Ray cluster: vLLM's ranks, and llama.cpp's RPC with a worker's node that dies.

Opt-in (QUANTPLAN_REAL=1): the first run installs vLLM (2.5 GB) and compiles llama.cpp with its RPC backend (minutes).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="pip install 'quantplan[ray]'")

from ray_cluster import RayCluster, ray_cluster

from executor.distributed.ray_executor import RayExecutor
from executor.local import DEMO_MODEL
from planner.errors import ExecutionFailed
from planner.plan import Plan, Stage
from planner.planning import make_plan
from planner.ports import ApplyOptions, Event, RunRecord
from planner.request import Request, Workload

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("QUANTPLAN_REAL" not in os.environ, reason="set QUANTPLAN_REAL=1 to spread real servers"),
]
SHORT = Workload(input_tokens=64, output_tokens=16, concurrency=2)
SERVED = ("fetch", "keep-original", "convert", "quantize", "launch", "check-applied", "load-test", "findings", "report")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster(3, num_cpus=1, memory=4 * 2**30) as running:
        yield running


def plan_of(hardware: str, format: str, engine: str) -> Plan:
    asked = {"model": str(DEMO_MODEL), "hardware": hardware, "format": format, "engine": engine, "workload": SHORT}
    plan = make_plan(Request.model_validate(asked))
    return plan.with_stages(stage for stage in plan.stages if stage.kind in SERVED)


def over_two_nodes(plan: Plan) -> Plan:
    """As a plan for two machines of one accelerator each says it, on CPUs in their stead."""

    def split(stage: Stage) -> Stage:
        arguments = [*stage.parameters.get("arguments", ()), "--tensor-parallel-size", "2"]
        return stage.model_copy(update={"parameters": {**stage.parameters, "arguments": arguments}})

    stages = tuple(split(stage) if stage.kind == "launch" else stage for stage in plan.stages)
    chosen = plan.chosen.model_copy(update={"nodes": 2, "tensor_parallel": 2})
    return plan.model_copy(update={"chosen": chosen, "stages": stages, "ladder": (), "ways": {}}).sealed()


def result_of(record: RunRecord, name: str) -> dict[str, object]:
    return next(step for step in record.steps if step.name == name).result


def test_vllm_serves_one_copy_from_two_nodes(cluster: RayCluster, tmp_path: Path) -> None:
    plan = over_two_nodes(plan_of("cpu:8GB", "bf16", "vllm"))
    record = RayExecutor(tmp_path).apply(plan, on_event=lambda _: None, options=ApplyOptions(address=cluster.address))
    launched = result_of(record, "launch")
    assert record.state == "done" and launched["first_completion"]
    assert launched["ran_on"]["address"] != launched["workers"][0]["address"]  # type: ignore[index]
    assert result_of(record, "load-test")["errors"] == 0


def test_llama_cpp_goes_on_after_a_worker_died_under_load(cluster: RayCluster, tmp_path: Path) -> None:
    plan, killed = plan_of("cpu:64GB", "gguf-q8_0", "llama.cpp"), []

    def kill_a_worker(event: Event) -> None:
        if event.step == "load-test" and event.state == "running" and not killed:
            workers = {job["submission_id"]: job["driver_node_id"] for job in cluster.jobs()}
            killed.extend(sorted(job for job in workers if "-worker-2-" in job))
            cluster.kill_node(workers[killed[0]])

    executor, options = RayExecutor(tmp_path), ApplyOptions(address=cluster.address)
    with pytest.raises(ExecutionFailed, match=r"the server was lost: .*-worker-2-"):
        executor.apply(plan, on_event=kill_a_worker, options=options)
    record = executor.apply(plan, on_event=lambda _: None, options=options)
    assert record.state == "done" and len(result_of(record, "launch")["workers"]) == 2  # type: ignore[arg-type]
    assert result_of(record, "load-test")["errors"] == 0
