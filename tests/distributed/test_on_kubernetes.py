"""`apply --on kubernetes` through the official client, against an API server of equal standing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_kubernetes import FakeKubernetes, fake_kubernetes

pytest.importorskip("kubernetes", reason="pip install 'quantplan[kubernetes]'")

from executor.distributed.kubernetes.api import KubeApi, Patience
from executor.distributed.kubernetes.executor import KubernetesExecutor
from executor.local import DEMO_MODEL, run_id_of
from planner.errors import BadInput, ExecutionFailed
from planner.plan import Plan
from planner.planning import make_plan
from planner.ports import ApplyOptions, Event
from planner.request import Request

HASTE = Patience(request_s=1, poll_s=0.01, silent_s=0.2, pending_s=0.2)
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}
FAILED = {
    "conditions": [{"type": "Failed", "status": "True", "message": "Job has reached the specified backoff limit"}]
}
FINDING = {
    "name": "ttft_ms", "unit": "ms", "predicted": 40.0, "low": 30.0, "high": 50.0, "measured": 41.0, "inside": True,
    "note": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(Request(model="llama-3.1-8b", hardware="1xL4", format="gguf-q4_k_m"))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubernetes]:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    with fake_kubernetes(FakeKubernetes()) as running:
        yield running


def run_of(plan: Plan) -> dict[str, Any]:
    """What `quantplan apply --json` prints on the node."""
    results = {"findings": {"findings": [FINDING]}, "report": {"report_path": "/quantplan/runs/x/report.html"}}
    steps = [
        {"name": s.name, "state": "done", "result": results.get(s.name, {"made": s.name}), "seconds": 2.0,
         "resources": {"cpu_s": 1.0}, "log_path": f"/quantplan/logs/{s.name}.log"}
        for s in plan.stages
    ]  # fmt: skip
    return {"run_id": run_id_of(plan), "state": "done", "steps": steps}


def applied(home: Path, plan: Plan, cluster: FakeKubernetes, said: list[Event] | None = None) -> Any:
    on_event = said.append if said is not None else lambda event: None
    options = ApplyOptions(address=cluster.address)
    return KubernetesExecutor(home, patience=HASTE).apply(plan, on_event=on_event, options=options)


def test_the_journal_and_the_findings_come_back(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.on_job = lambda job: COMPLETE
    cluster.pods = [{"metadata": {"name": "q-1"}, "status": {"phase": "Succeeded"}}]
    cluster.log = f"progress ...\nmore\n{json.dumps(run_of(plan), indent=2)}\n"
    record = applied(tmp_path, plan, cluster)
    assert record.state == "done" and {step.state for step in record.steps} == {"done"}
    assert [finding.measured for finding in record.findings] == [41.0]
    assert {step.seconds for step in record.steps} == {2.0}
    assert record.report_path is None
    assert cluster.applied == ["ConfigMap", "PersistentVolumeClaim", "Job"]
    (told,) = [o for o in cluster.objects.values() if o["kind"] == "ConfigMap"]
    assert json.loads(told["data"]["plan.json"])["digest"] == plan.digest


def test_asked_again_it_tells_again_and_applies_nothing(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.on_job = lambda job: COMPLETE
    cluster.pods = [{"metadata": {"name": "q-1"}, "status": {"phase": "Succeeded"}}]
    cluster.log = json.dumps(run_of(plan), indent=2)
    applied(tmp_path, plan, cluster)
    record = applied(tmp_path, plan, cluster)
    assert record.state == "done" and len(cluster.applied) == 3


def test_a_job_that_failed_says_why_and_is_made_anew(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.on_job = lambda job: FAILED
    cluster.pods = [{"metadata": {"name": "q-1"}, "status": {"phase": "Failed"}}]
    cluster.log = "step quantize: out of memory"
    with pytest.raises(ExecutionFailed) as failed:
        applied(tmp_path, plan, cluster)
    run_id = run_id_of(plan)
    assert str(failed.value) == (
        f"{cluster.address}, Job llama-3-1-8b-quantize-{run_id}: "
        "the Job failed: Job has reached the specified backoff limit\n"
        "The last lines of its log:\n  step quantize: out of memory\n"
        f"To fix: mend what the log says, then go on: quantplan apply {run_id} --on kubernetes"
        " (finished steps are not repeated)"
    )
    assert KubernetesExecutor(tmp_path).show(run_id).state == "failed"
    cluster.on_job, cluster.log = lambda job: COMPLETE, json.dumps(run_of(plan), indent=2)
    assert applied(tmp_path, plan, cluster).state == "done"
    assert len(cluster.deleted) == 1


def test_no_node_for_the_job_is_said_in_the_schedulers_words(
    plan: Plan, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    why = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
    unscheduled = {"type": "PodScheduled", "status": "False", "message": why}
    cluster.pods = [{"metadata": {"name": "q-1"}, "status": {"phase": "Pending", "conditions": [unscheduled]}}]
    with pytest.raises(ExecutionFailed, match="no node took the Job for 0 s: 0/3 nodes are available"):
        applied(tmp_path, plan, cluster)


def test_an_image_that_cannot_be_pulled_is_told(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}
    cluster.pods = [{"metadata": {"name": "q-1"}, "status": {"phase": "Pending", "containerStatuses": [waiting]}}]
    with pytest.raises(ExecutionFailed, match="ImagePullBackOff: not found"):
        applied(tmp_path, plan, cluster)


def test_an_interface_that_the_cluster_lacks_is_named_with_how_to_get_it(cluster: FakeKubernetes) -> None:
    group = "leaderworkerset.x-k8s.io/v1"
    document = {"apiVersion": group, "kind": "LeaderWorkerSet", "metadata": {"name": "x", "namespace": "default"}}
    with pytest.raises(ExecutionFailed) as refused:
        KubeApi(cluster.address).apply(document)
    assert str(refused.value) == (
        f"{cluster.address}, LeaderWorkerSet x: the cluster has no LeaderWorkerSet of leaderworkerset.x-k8s.io/v1\n"
        "To fix: install LeaderWorkerSet: https://lws.sigs.k8s.io/docs/installation/"
    )


def test_what_is_not_allowed_is_said(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.forbidden = 'jobs.batch is forbidden: User "dev" cannot get resource "jobs"'
    with pytest.raises(ExecutionFailed, match=r'the cluster does not allow it: jobs.batch is forbidden: User "dev"'):
        applied(tmp_path, plan, cluster)


def test_an_api_server_in_trouble_is_waited_for_and_then_reported(
    plan: Plan, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    cluster.out_of_order = 503
    said: list[Event] = []
    with pytest.raises(ExecutionFailed, match=r"has not answered for 0 s \(it answered 503: etcdserver"):
        applied(tmp_path, plan, cluster, said)
    assert [event.message for event in said] == [f"{cluster.address} does not answer; the run waits for it"]


def test_nobody_there_is_reported(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        options = ApplyOptions(address=f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(ExecutionFailed, match="the cluster has not answered for 0 s"):
            KubernetesExecutor(tmp_path, patience=HASTE).apply(plan, on_event=lambda event: None, options=options)


def test_without_a_configuration_nothing_is_begun(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ExecutionFailed, match="no cluster is configured"):
        KubernetesExecutor(tmp_path, patience=HASTE).apply(plan, on_event=lambda event: None)


def test_a_model_of_this_machine_is_refused(cluster: FakeKubernetes, tmp_path: Path) -> None:
    plan = make_plan(Request(model=str(DEMO_MODEL), hardware="cpu:8GB"))
    with pytest.raises(BadInput, match="the plan's model is a directory of this machine, which no pod sees"):
        applied(tmp_path, plan, cluster)


def test_a_log_that_was_cut_is_said(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.on_job, cluster.log = lambda job: COMPLETE, "cut"
    with pytest.raises(ExecutionFailed, match="its log does not end with the run"):
        applied(tmp_path, plan, cluster)
