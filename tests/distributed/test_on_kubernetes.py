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
from planner.launching.site import Site
from planner.plan import Plan
from planner.planning import make_plan
from planner.ports import ApplyOptions, Event
from planner.request import Request

HASTE = Patience(request_s=30, poll_s=0.01, silent_s=0.2, pending_s=0.2)
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
    with fake_kubernetes(FakeKubernetes(nodes=[node("NVIDIA-L4")])) as running:
        yield running


def node(product: str, gpus: int = 1) -> dict[str, Any]:
    labels = {"nvidia.com/gpu.product": product}
    return {"metadata": {"name": product, "labels": labels}, "status": {"allocatable": {"nvidia.com/gpu": str(gpus)}}}


def run_of(plan: Plan) -> dict[str, Any]:
    """What `quantplan apply --json` prints on the node."""
    results = {"findings": {"findings": [FINDING]}, "report": {"report_path": "/quantplan/runs/x/report.html"}}
    steps = [
        {"name": s.name, "state": "done", "result": results.get(s.name, {"made": s.name}), "seconds": 2.0,
         "resources": {"cpu_s": 1.0}, "log_path": f"/quantplan/logs/{s.name}.log"}
        for s in plan.stages
    ]  # fmt: skip
    return {"run_id": run_id_of(plan), "state": "done", "steps": steps}


def applied(
    home: Path, plan: Plan, cluster: FakeKubernetes, said: list[Event] | None = None, keep: bool = False, **site: Any
) -> Any:
    on_event = said.append if said is not None else lambda event: None
    options = ApplyOptions(address=cluster.address, keep=keep, site=Site(**site))
    return KubernetesExecutor(home, patience=HASTE).apply(plan, on_event=on_event, options=options)


def test_the_journal_and_the_findings_come_back(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.on_apply = lambda found: COMPLETE
    cluster.pods = [{"metadata": {"name": "q-1"}, "status": {"phase": "Succeeded"}}]
    cluster.log = f"progress ...\nmore\n{json.dumps(run_of(plan), indent=2)}\n"
    said: list[Event] = []
    record = applied(tmp_path, plan, cluster, said)
    assert record.state == "done" and {step.state for step in record.steps} == {"done"}
    assert [finding.measured for finding in record.findings] == [41.0]
    assert {step.seconds for step in record.steps} == {2.0}
    assert record.report_path is None
    assert {event.message for event in said[-len(plan.stages) :]} == {"done on the cluster in 2.0 s"}
    assert cluster.applied == ["ConfigMap", "PersistentVolumeClaim", "Job"]
    (told,) = [o for o in cluster.objects.values() if o["kind"] == "ConfigMap"]
    assert json.loads(told["data"]["plan.json"])["digest"] == plan.digest


def test_asked_again_it_tells_again_and_applies_nothing(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.on_apply = lambda found: COMPLETE
    cluster.pods = [{"metadata": {"name": "q-1"}, "status": {"phase": "Succeeded"}}]
    cluster.log = json.dumps(run_of(plan), indent=2)
    applied(tmp_path, plan, cluster)
    record = applied(tmp_path, plan, cluster)
    assert record.state == "done" and len(cluster.applied) == 3


def test_a_job_that_failed_says_why_and_is_made_anew(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.on_apply = lambda found: FAILED
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
        f" --address {cluster.address} (finished steps are not repeated)"
    )
    assert KubernetesExecutor(tmp_path).show(run_id).state == "failed"
    cluster.on_apply, cluster.log, cluster.lingers = lambda found: COMPLETE, json.dumps(run_of(plan), indent=2), 3
    assert applied(tmp_path, plan, cluster).state == "done"
    assert len(cluster.deleted) == 1


def test_a_job_that_does_not_go_is_said(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.on_apply, cluster.lingers = lambda found: FAILED, 10**6
    for says in ("the Job failed", "it was deleted 0 s ago and is still there"):
        with pytest.raises(ExecutionFailed, match=says):
            applied(tmp_path, plan, cluster)


def test_no_node_for_the_job_is_said_in_the_schedulers_words(
    plan: Plan, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    why = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
    unscheduled = {"type": "PodScheduled", "status": "False", "message": why}
    cluster.pods = [{"metadata": {"name": "q-1"}, "status": {"phase": "Pending", "conditions": [unscheduled]}}]
    with pytest.raises(ExecutionFailed, match=r"no node took the Job for \d s: 0/3 nodes are available"):
        applied(tmp_path, plan, cluster)


def waiting(reason: str, message: str) -> dict[str, Any]:
    """A pod whose container waits for that."""
    state = {"state": {"waiting": {"reason": reason, "message": message}}}
    return {"metadata": {"name": "q-1"}, "status": {"phase": "Pending", "containerStatuses": [state]}}


def test_an_image_that_cannot_be_pulled_is_reported_at_once(
    plan: Plan, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    cluster.pods = [waiting("ImagePullBackOff", 'Back-off pulling image "quantplan:0.1": not found')]
    with pytest.raises(ExecutionFailed) as failed:
        KubernetesExecutor(tmp_path, patience=HASTE.model_copy(update={"pending_s": 3600})).apply(
            plan, on_event=lambda event: None, options=ApplyOptions(address=cluster.address)
        )
    run_id = run_id_of(plan)
    assert str(failed.value) == (
        f"{cluster.address}, Job llama-3-1-8b-quantize-{run_id}: "
        'a pod cannot start: ImagePullBackOff: Back-off pulling image "quantplan:0.1": not found\n'
        "To fix: push the image where the nodes look, or name another with --image; then go on: "
        f"quantplan apply {run_id} --on kubernetes --address {cluster.address}"
    )


def test_a_secret_that_is_missing_is_reported_at_once(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.pods = [waiting("CreateContainerConfigError", 'secret "hub" not found')]
    with pytest.raises(ExecutionFailed, match='a pod cannot start: CreateContainerConfigError: secret "hub" not found'):
        applied(tmp_path, plan, cluster, secret="hub")


def test_an_image_that_is_being_pulled_is_waited_for(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.pods = [waiting("ContainerCreating", "")]
    said: list[Event] = []
    with pytest.raises(ExecutionFailed, match=r"no node took the Job for \d s: ContainerCreating"):
        applied(tmp_path, plan, cluster, said)
    assert said[-1].message == "waiting: ContainerCreating"


# Before anything is applied


def test_an_interface_that_the_cluster_lacks_is_named_with_how_to_get_it(cluster: FakeKubernetes) -> None:
    group = "leaderworkerset.x-k8s.io/v1"
    document = {"apiVersion": group, "kind": "LeaderWorkerSet", "metadata": {"name": "x", "namespace": "default"}}
    with pytest.raises(ExecutionFailed) as refused:
        KubeApi(cluster.address).apply(document)
    assert str(refused.value) == (
        f"{cluster.address}, LeaderWorkerSet x: the cluster has no LeaderWorkerSet of leaderworkerset.x-k8s.io/v1\n"
        "To fix: install LeaderWorkerSet (https://lws.sigs.k8s.io/docs/installation/); or plan for one node,"
        " which is served by a plain Deployment (quantplan plan MODEL --on COUNTxGPU)"
    )


def test_it_is_missed_before_anything_is_applied(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    del cluster.groups["batch/v1"]
    with pytest.raises(ExecutionFailed, match="the cluster has no Job of batch/v1"):
        applied(tmp_path, plan, cluster)
    assert cluster.applied == []


def test_a_namespace_that_is_not_there(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.namespaces |= {"models"}
    with pytest.raises(ExecutionFailed) as refused:
        applied(tmp_path, plan, cluster, namespace="model")
    assert str(refused.value) == (
        f"{cluster.address}: no namespace 'model'\nDid you mean: default, models?\n"
        "To fix: kubectl create namespace model, or name another with --namespace"
    )


def test_a_storage_class_that_is_not_there(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    with pytest.raises(ExecutionFailed) as refused:
        applied(tmp_path, plan, cluster, storage_class="nfs")
    assert str(refused.value) == (
        f"{cluster.address}: no storage class 'nfs'\nDid you mean: efs, standard?\n"
        "To fix: name one that offers ReadWriteMany with --storage-class; kubectl get storageclass lists them"
    )


def test_no_node_with_the_planned_gpu(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.nodes = [node("NVIDIA-A100-SXM4-80GB", 8), node("NVIDIA-A100-SXM4-80GB", 8), node("NVIDIA-L4", 0)]
    with pytest.raises(ExecutionFailed) as refused:
        applied(tmp_path, plan, cluster)
    assert str(refused.value) == (
        f"{cluster.address}: no node has 1 x L4 (nvidia.com/gpu.product NVIDIA-L4);"
        " its nodes with GPUs: 2 with 8 x NVIDIA-A100-SXM4-80GB\n"
        "To fix: plan for what the cluster has (quantplan plan MODEL --on COUNTxGPU), or add such a node;"
        " a pool that grows from nothing is named with --node-selector KEY=VALUE"
    )
    assert cluster.applied == []


def test_a_pool_that_grows_from_nothing_is_not_looked_for(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.nodes, cluster.on_apply, cluster.log = [], lambda found: COMPLETE, json.dumps(run_of(plan), indent=2)
    cluster.pods = [{"metadata": {"name": "q-1"}, "status": {"phase": "Succeeded"}}]
    assert applied(tmp_path, plan, cluster, node_selector=(("pool", "l4"),)).state == "done"


# What is refused on the way


def test_what_is_not_allowed_names_the_verb_and_the_resource(
    plan: Plan, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    cluster.forbidden = {"patch jobs", "get namespaces", "list nodes"}
    with pytest.raises(ExecutionFailed) as refused:
        applied(tmp_path, plan, cluster)
    assert str(refused.value) == (
        f"{cluster.address}, Job llama-3-1-8b-quantize-{run_id_of(plan)}: you may not patch jobs.batch in namespace"
        ' default: jobs.batch is forbidden: User "dev" cannot patch resource "jobs" in API group "batch"'
        ' in the namespace "default"\n'
        "To fix: ask for that right (kubectl auth can-i patch jobs.batch -n default), or use another --context"
    )


QUOTA = (
    "gpus, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=8, limited: requests.nvidia.com/gpu=8"
)


def test_a_quota_that_refuses_an_object_is_said(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    cluster.quota = "storage, requested: requests.storage=60Gi, used: 0, limited: requests.storage=50Gi"
    with pytest.raises(ExecutionFailed) as refused:
        applied(tmp_path, plan, cluster)
    assert "the quota of namespace default does not allow it: " in str(refused.value)
    assert str(refused.value).endswith(
        "To fix: free some of it or have it raised (kubectl describe quota -n default), or use another --namespace"
    )


def test_a_quota_that_refuses_the_jobs_pod_is_said_at_once(plan: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    told = f'Error creating: pods "q-1" is forbidden: exceeded quota: {QUOTA}'
    cluster.events = [{"metadata": {}, "reason": "FailedCreate", "message": told}]
    with pytest.raises(ExecutionFailed, match="the quota of namespace default does not allow it: Error creating: pods"):
        applied(tmp_path, plan, cluster)


def test_a_context_that_the_kubeconfig_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "lab", "users": [{"name": "me", "user": {}}],
        "clusters": [{"name": "lab", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
    }  # fmt: skip
    (tmp_path / "config").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
    assert KubeApi(context="lab").address == "http://127.0.0.1:1"
    with pytest.raises(BadInput) as refused:
        KubeApi(context="prod")
    assert str(refused.value) == (
        "the kubeconfig has no context 'prod'\nDid you mean: lab?\nTo fix: kubectl config get-contexts lists them"
    )


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
    cluster.on_apply, cluster.log = lambda found: COMPLETE, "cut"
    with pytest.raises(ExecutionFailed, match="its log does not end with the run"):
        applied(tmp_path, plan, cluster)
