"""A copy over several nodes: vLLM's ranks as the plan says, llama.cpp's RPC where no node holds it, lost workers."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jobs_here import HASTE, JobsHere, hasty, nodes_here
from left_over import processes_with

from executor.distributed.jobs import Needs, Node
from executor.distributed.ray_executor import RayExecutor
from executor.distributed.spreading import RankSpread, RpcSpread, server_bytes, spread_of, worker_bytes
from executor.findings import findings_of
from executor.local import DEMO_MODEL
from planner.errors import ExecutionFailed
from planner.plan import Plan, Stage
from planner.planning import make_plan
from planner.ports import ApplyOptions, Event
from planner.request import Request
from planner.units import GIB

CORES = {"launch": 1}
PAST_ITS_LEASE_S = HASTE.lease_s + 0.5
A100 = Node("10.0.0.6", 32, 8, 512 * GIB, ("A100",))
SMALL = Node("10.0.0.7", 8, 0, 8 * GIB)


@pytest.fixture(scope="module")
def on_cpu() -> Plan:
    return make_plan(Request(model="llama-3.1-8b", hardware="cpu:24GB"))


@pytest.fixture(scope="module")
def on_gpus() -> Plan:
    plan = make_plan(Request(model="llama-3.1-8b", hardware="1xA100-80GB", format="bf16", engine="vllm"))
    spread = {"nodes": 2, "tensor_parallel": 8, "pipeline_parallel": 2}
    return plan.model_copy(update={"chosen": plan.chosen.model_copy(update=spread)})


def launch_of(plan: Plan) -> Stage:
    return next(stage for stage in plan.stages if stage.kind == "launch")


def test_a_copy_that_one_node_holds_is_not_spread(on_cpu: Plan) -> None:
    assert spread_of(on_cpu, launch_of(on_cpu), CORES, (SMALL, replace(SMALL, memory_bytes=32 * GIB)), "here") is None


def test_a_copy_that_no_node_holds_goes_to_the_fewest_that_do(on_cpu: Plan) -> None:
    nodes = tuple(replace(SMALL, address=f"10.0.0.{number}") for number in range(4))
    spread = spread_of(on_cpu, launch_of(on_cpu), CORES, nodes, "here")
    assert isinstance(spread, RpcSpread) and [worker.beside for worker in spread.workers] == ["10.0.0.0", "10.0.0.1"]
    assert spread.server.beside == "10.0.0.0" and spread.server.cores == 0
    assert spread.says == (
        "no node has 1 core, 11.5 GiB of memory: spread over 2 by llama.cpp's RPC; the plan's speeds are those of one"
        " machine"
    )
    told = spread.launch(launch_of(on_cpu), [{"host": "10.0.0.0", "port": 1}, {"host": "10.0.0.1", "port": 2}])
    assert told["arguments"][-6:] == [
        "--rpc",
        "10.0.0.0:1,10.0.0.1:2",
        "--n-gpu-layers",
        "all",
        "--tensor-split",
        "1,1",
    ]


def test_a_copy_that_all_nodes_together_do_not_hold_is_not_spread(on_cpu: Plan) -> None:
    tiny = replace(SMALL, memory_bytes=1 * GIB)
    assert spread_of(on_cpu, launch_of(on_cpu), CORES, (tiny, tiny), "here") is None


def test_what_each_part_is_asked_for_adds_up_to_the_plan(on_cpu: Plan) -> None:
    memory = on_cpu.chosen.memory
    parts = memory.gib("weights", "scales and zeros", "16-bit remainder", "KV cache")
    worker = worker_bytes(on_cpu, 2) / GIB
    assert parts / 2 < worker - memory.gib("compute buffer") < parts * 0.53  # 17 of 33 layers and head at most
    assert server_bytes(on_cpu) < 0.1 * worker_bytes(on_cpu, 2) + memory.gib("compute buffer") * GIB


def test_vllm_gets_a_rank_on_each_of_the_plans_nodes(on_gpus: Plan) -> None:
    nodes = (A100, replace(A100, address="10.0.0.8"))
    spread = spread_of(on_gpus, launch_of(on_gpus), CORES, nodes, "here")
    assert isinstance(spread, RankSpread)
    assert spread.server == Needs(cores=1, gpus=8, gpu="A100", beside="10.0.0.6")
    assert [worker.beside for worker in spread.workers] == ["10.0.0.8"]
    server, worker = spread.launch(launch_of(on_gpus), []), spread.worker(launch_of(on_gpus), 0)
    meeting = ["--master-addr", "10.0.0.6", "--master-port", str(spread.port)]
    assert server["arguments"][-8:] == ["--nnodes", "2", "--node-rank", "0", *meeting]
    assert worker["arguments"][-9:] == ["--nnodes", "2", "--node-rank", "1", *meeting, "--headless"]
    assert worker["environment"]["VLLM_HOST_IP"] == "10.0.0.8"


def test_other_engines_are_refused_over_nodes(on_gpus: Plan) -> None:
    plan = on_gpus.model_copy(update={"chosen": on_gpus.chosen.model_copy(update={"engine": "sglang"})})
    with pytest.raises(ExecutionFailed) as refused:
        spread_of(plan, launch_of(plan), CORES, (A100, A100), "here")
    assert str(refused.value) == (
        "plan for llama-3.1-8b: over several nodes this executor serves such a plan with vLLM; the plan is for sglang\n"
        "To fix: plan with --engine vllm, or for one machine"
    )


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        ({"data_parallel": 2, "pipeline_parallel": 1}, "copies of the attention over several nodes"),
        ({"nodes": 1, "pools": ("prefill", "decode")}, "prompt and decode pools are several servers behind a router"),
    ],
)
def test_what_is_not_launched_on_ray_is_said(on_gpus: Plan, apart: dict[str, Any], said: str) -> None:
    plan = on_gpus.model_copy(update={"chosen": on_gpus.chosen.model_copy(update=apart)})
    with pytest.raises(ExecutionFailed, match=said) as refused:
        spread_of(plan, launch_of(plan), CORES, (A100, replace(A100, address="10.0.0.8")), "here")
    assert "quantplan render PLAN --for kubernetes" in str(refused.value)


def test_what_is_measured_of_more_nodes_than_planned_is_said(on_cpu: Plan) -> None:
    weights_gib = on_cpu.chosen.predicted("weights_gib").value or 0.0
    launched = {"memory": {"weights_gib": weights_gib * 1.5}, "workers": [{}, {}, {}]}
    found = {finding.name: finding for finding in findings_of(on_cpu, {launch_of(on_cpu).name: launched})}
    assert found["weights_gib"].inside is False
    assert found["weights_gib"].note == "served from 3 nodes, and predicted for one"


# Carried out


@pytest.fixture(scope="module")
def nodes() -> Iterator[subprocess.Popen[str]]:
    with nodes_here() as running:
        yield running


@pytest.fixture
def jobs(tmp_path: Path, nodes: subprocess.Popen[str]) -> Iterator[JobsHere]:
    cluster = JobsHere(tmp_path / "cluster", f"quantplan-test-{uuid.uuid4()}", nodes, memory_bytes=4 * GIB)
    yield cluster
    for process in processes_with(cluster.marker):
        process.kill()


@pytest.fixture(scope="module")
def too_large() -> Plan:
    """What it leaves to the operating system alone is more than a node has."""
    whole = make_plan(Request(model=str(DEMO_MODEL), hardware="cpu:64GB"))
    return whole.with_stages(stage for stage in whole.stages if stage.kind in ("fetch", "launch", "load-test"))


def worker_jobs(jobs: JobsHere) -> list[str]:
    return sorted(path.stem for path in jobs.folder.glob("*-worker-*.json"))


def test_the_server_is_told_of_its_workers_and_all_end_with_the_run(
    too_large: Plan, jobs: JobsHere, tmp_path: Path
) -> None:
    said: list[Event] = []
    record = RayExecutor(tmp_path / "home", hasty(), connect=lambda address: jobs).apply(
        too_large, on_event=said.append
    )
    launched = record.steps[1].result
    assert launched["arguments"][-6:-4] == ["--rpc", "127.0.0.1:1,127.0.0.1:1"]
    assert len(launched["workers"]) == len(worker_jobs(jobs)) == 2
    assert any(event.message.startswith("no node has") for event in said)
    assert jobs.all_end()


def test_a_worker_lost_under_load_is_what_the_run_fails_of(too_large: Plan, jobs: JobsHere, tmp_path: Path) -> None:
    def lose_one(event: Event) -> None:
        if event.step == "load-test" and event.state == "running":
            for job in (worker_jobs(jobs)[0], *launch_jobs(jobs)):
                jobs.kill(job)

    executor = RayExecutor(tmp_path / "home", hasty(), connect=lambda address: jobs)
    with pytest.raises(ExecutionFailed, match=r"the server was lost: .*-worker-1-.*: its node died") as failed:
        executor.apply(too_large, on_event=lose_one)
    assert "quantplan apply" in str(failed.value) and "--on ray" in str(failed.value)
    assert jobs.all_end()
    assert executor.apply(too_large, on_event=lambda event: None).state == "done"


def launch_jobs(jobs: JobsHere) -> list[str]:
    return [path.stem for path in jobs.folder.glob("*-launch-*.json") if "-worker-" not in path.stem]


def test_a_kept_copy_keeps_its_workers(too_large: Plan, jobs: JobsHere, tmp_path: Path) -> None:
    executor = RayExecutor(tmp_path / "home", hasty(), connect=lambda address: jobs)
    executor.apply(too_large, on_event=lambda event: None, options=ApplyOptions(keep=True))
    held = [*worker_jobs(jobs), *launch_jobs(jobs)]
    time.sleep(PAST_ITS_LEASE_S)
    assert [jobs.state(job).phase for job in held] == ["running"] * 3
