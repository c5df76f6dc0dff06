"""A plan's server on Kubernetes: deployed, waited for, measured from inside, kept or removed again; a model carried."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_kubernetes import Document, FakeKubernetes, fake_kubernetes

pytest.importorskip("kubernetes", reason="pip install 'quantplan[kubernetes]'")

from executor.distributed.kubernetes.api import Patience
from executor.distributed.kubernetes.executor import KubernetesExecutor
from executor.local import DEMO_MODEL, LocalExecutor, run_id_of
from planner.errors import BadInput, ExecutionFailed
from planner.launching.site import Site
from planner.plan import Plan
from planner.planning import make_plan
from planner.ports import ApplyOptions, Event, OnMessage, StoredModel
from planner.request import Request

HASTE = Patience(request_s=30, poll_s=0.01, silent_s=0.2, pending_s=0.2)
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}
MEASURED = {
    "url": "http://x", "requests": 48, "errors": 0, "ttft_ms": {"mean": 480.0}, "tpot_ms": {"mean": 41.5},
    "output_tokens_per_s": 180.0, "short_requests": 0,
}  # fmt: skip
LOAD_LOG = f"trying\n{json.dumps(MEASURED)}\n"


@pytest.fixture(scope="module")
def served_as_it_is() -> Plan:
    """A plan that makes nothing: the server reads the Hub's own checkpoint."""
    return make_plan(Request(model="llama-3.1-8b", hardware="1xL4", format="bf16", kv_cache="fp8"))


@pytest.fixture(scope="module")
def made_first() -> Plan:
    return make_plan(Request(model="llama-3.1-8b", hardware="1xL4", format="gguf-q4_k_m"))


@pytest.fixture
def cluster(served_as_it_is: Plan, made_first: Plan, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubernetes]:
    """One node with an L4, on which everything goes well."""
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    labels = {"nvidia.com/gpu.product": "NVIDIA-L4"}
    node = {"metadata": {"name": "n", "labels": labels}, "status": {"allocatable": {"nvidia.com/gpu": "1"}}}
    with fake_kubernetes(FakeKubernetes(nodes=[node], on_apply=running)) as found:
        loads = [job_pod("load-1", "load", plan) for plan in (served_as_it_is, made_first)]
        found.pods = [server_pod(ready=True), *loads, job_pod("make-1", "quantize", made_first)]
        found.logs = {"load-1": LOAD_LOG}
        yield found


def running(document: Document) -> Document:
    """What controllers make of it: Jobs end well, Deployments have their copies."""
    return COMPLETE if document["kind"] == "Job" else {"readyReplicas": document.get("spec", {}).get("replicas", 0)}


def server_pod(ready: bool, **state: Any) -> Document:
    labels = {"app.kubernetes.io/component": "server", "app.kubernetes.io/managed-by": "quantplan",
              "app.kubernetes.io/name": "llama-3-1-8b"}  # fmt: skip
    told = {"type": "Ready", "status": str(ready), "lastTransitionTime": "2026-11-21T10:01:30Z"}
    container = {"state": state or {"running": {"startedAt": "2026-11-21T10:00:00Z"}}}
    status = {"phase": "Running", "conditions": [told], "containerStatuses": [container]}
    return {"metadata": {"name": "server-1", "labels": labels}, "spec": {"nodeName": "n"}, "status": status}


def job_pod(name: str, kind: str, plan: Plan) -> Document:
    job = f"llama-3-1-8b-{kind}-{run_id_of(plan)}"
    return {"metadata": {"name": name, "labels": {"job-name": job}}, "status": {"phase": "Succeeded"}}


def applied(
    home: Path, plan: Plan, cluster: FakeKubernetes, said: list[Event] | None = None, keep: bool = False, **site: Any
) -> Any:
    options = ApplyOptions(address=cluster.address, keep=keep, site=Site(**site))
    on_event = said.append if said is not None else lambda event: None
    return KubernetesExecutor(home, patience=HASTE).apply(plan, on_event=on_event, options=options)


def test_a_plan_that_makes_nothing_is_served_measured_and_removed_again(
    served_as_it_is: Plan, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    record = applied(tmp_path, served_as_it_is, cluster)
    assert record.state == "done"
    found = {finding.name: finding.measured for finding in record.findings}
    assert (found["ttft_ms"], found["tpot_ms"], found["output_tokens_per_s"]) == (480.0, 41.5, 180.0)
    steps = {step.name: step for step in record.steps}
    assert steps["launch"].result["ready_s"] == 90.0
    assert steps["launch"].result["url"] == "http://llama-3-1-8b.default.svc"
    assert cluster.applied == ["Deployment", "Service", "PodDisruptionBudget", "Job"]
    assert cluster.deleted == ["Job", "Deployment", "Service", "PodDisruptionBudget"]
    assert cluster.objects == {} and record.deployments == ()
    assert {name for name, step in steps.items() if step.state == "done"} == {"launch", "load-test", "findings"}
    assert {step.state for name, step in steps.items() if name not in ("launch", "load-test", "findings")} == {
        "skipped"
    }


def test_the_planned_load_is_sent_from_inside(served_as_it_is: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    sent: list[Document] = []
    cluster.on_apply = lambda document: sent.append(document) or running(document)  # type: ignore[func-returns-value]
    applied(tmp_path, served_as_it_is, cluster, image="registry/quantplan:1")
    (job,) = [d for d in sent if d["kind"] == "Job"]
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry/quantplan:1"
    assert container["command"] == [
        "quantplan", "bench", "http://llama-3-1-8b.default.svc", "--engine", "vllm", "--model", "llama-3.1-8b",
        "--input-tokens", "1000", "--output-tokens", "300", "--requests", "48", "--warmup-requests", "2",
        "--concurrency", "8", "--json",
    ]  # fmt: skip


def test_a_server_that_is_kept_stays_until_it_is_stopped(
    served_as_it_is: Plan, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    record = applied(tmp_path, served_as_it_is, cluster, keep=True)
    assert cluster.deleted == ["Job"]
    (kept,) = record.deployments
    assert (kept.state, kept.url, kept.engine) == ("running", "http://llama-3-1-8b.default.svc", "vllm")
    here = LocalExecutor(tmp_path)
    assert [(found.state, found.healthy, found.note) for found in here.deployments()] == [("running", None, "")]
    stopped = here.stop(kept.deployment_id)
    assert stopped.state == "stopped" and cluster.objects == {}
    assert [found.state for found in here.deployments()] == ["stopped"]


def test_a_server_that_was_kept_outlives_a_later_trouble(
    served_as_it_is: Plan, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    applied(tmp_path, served_as_it_is, cluster, keep=True)
    cluster.logs["load-1"] = "no measurement"
    with pytest.raises(ExecutionFailed, match="the load Job ended well, but its log has no measurement"):
        applied(tmp_path, served_as_it_is, cluster)
    assert [d["kind"] for d in cluster.objects.values()] == ["Deployment", "Service", "PodDisruptionBudget"]


def test_a_plan_for_a_mere_size_is_refused_before_anything_is_begun(cluster: FakeKubernetes, tmp_path: Path) -> None:
    plan = make_plan(Request(model="8B", hardware="1xL4", format="bf16", kv_cache="fp8"))
    with pytest.raises(BadInput, match="neither makes nor serves a model"):
        applied(tmp_path, plan, cluster)
    assert LocalExecutor(tmp_path).runs() == []


def test_a_kept_server_that_was_deleted_there_has_ended(
    served_as_it_is: Plan, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    applied(tmp_path, served_as_it_is, cluster, keep=True)
    cluster.objects.clear()
    (found,) = LocalExecutor(tmp_path).deployments()
    assert (found.state, found.note) == ("ended", "it was deleted on the cluster")


def test_a_cluster_that_is_silent_is_said_and_the_server_is_not_taken_for_stopped(
    served_as_it_is: Plan, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    applied(tmp_path, served_as_it_is, cluster, keep=True)
    cluster.out_of_order = 503
    here = LocalExecutor(tmp_path)
    (found,) = here.deployments()
    assert found.state == "running" and found.note.startswith("the cluster does not tell: it answered 503")
    with pytest.raises(ExecutionFailed, match="the cluster does not answer, and the server may still run"):
        here.stop(found.deployment_id)


def run_of(plan: Plan, go: bool = True) -> str:
    """What `quantplan apply --json` prints in the Job."""
    path = f"/quantplan/runs/{run_id_of(plan)}/model-q4_k_m.gguf"
    results = {"quantize": {"path": path}, "report": {"go": go}, "check-artifact": {"tensor_bytes": 4.9e9}}
    steps = [
        {"name": s.name, "state": "done", "result": results.get(s.name, {}), "seconds": 2.0, "resources": {},
         "log_path": "/quantplan/log"}
        for s in plan.stages
    ]  # fmt: skip
    return json.dumps({"run_id": run_id_of(plan), "state": "done", "steps": steps, "rungs": []}, indent=2)


@pytest.mark.parametrize(
    ("site", "reads"),
    [({}, "/model/model-q4_k_m.gguf"), ({"artefacts": "s3://bucket/x"}, "/model/model.gguf")],
)
def test_what_the_job_made_is_served(
    made_first: Plan, cluster: FakeKubernetes, tmp_path: Path, site: dict[str, str], reads: str
) -> None:
    cluster.logs["make-1"] = run_of(made_first)
    record = applied(tmp_path, made_first, cluster, keep=True, **site)
    (deployment,) = [d for d in cluster.objects.values() if d["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert reads in pod["containers"][0]["args"]
    assert [c["command"][3] for c in pod.get("initContainers", [])] == (
        [f"s3://bucket/x/{run_id_of(made_first)}"] if site else []
    )
    found = {finding.name: finding.measured for finding in record.findings}
    assert found["artifact_bytes"] == 4.9e9 and found["ttft_ms"] == 480.0


def test_what_the_report_advises_against_is_not_served(
    made_first: Plan, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    cluster.logs["make-1"] = run_of(made_first, go=False)
    assert applied(tmp_path, made_first, cluster, keep=True).deployments == ()
    assert "Deployment" not in cluster.applied


# A server that does not come up


def test_a_server_that_is_not_ready_in_time_is_removed_with_its_last_words(
    served_as_it_is: Plan, cluster: FakeKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from executor.distributed.kubernetes.serving import Deployed

    monkeypatch.setattr(Deployed, "ready_within_s", 0.05)
    cluster.pods, cluster.logs = [server_pod(ready=False)], {"server-1": "loading shard 3 of 9"}
    with pytest.raises(ExecutionFailed) as failed:
        applied(tmp_path, served_as_it_is, cluster)
    assert "the server was not ready within 0.05 s, the most that the plan predicts for a start\n" in str(failed.value)
    assert "  loading shard 3 of 9\n" in str(failed.value)
    assert cluster.objects == {}


def test_a_server_that_crashes_is_reported_with_its_log(
    served_as_it_is: Plan, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}}
    cluster.pods, cluster.logs = [server_pod(ready=False, **state)], {"server-1": "CUDA out of memory"}
    with pytest.raises(ExecutionFailed, match=r"(?s)the server ends again and again\n.*\n  CUDA out of memory"):
        applied(tmp_path, served_as_it_is, cluster, keep=True)
    assert cluster.objects == {}


def test_a_quota_that_refuses_the_servers_pods_is_said(
    served_as_it_is: Plan, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    told = 'pods "x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, limited: 0'
    failing = {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": told}]}
    cluster.pods, cluster.on_apply = [], lambda document: failing
    with pytest.raises(ExecutionFailed, match="the quota of namespace default does not allow it: pods"):
        applied(tmp_path, served_as_it_is, cluster)


def test_a_network_that_is_cut_for_a_while_is_sat_out(
    served_as_it_is: Plan, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    said: list[Event] = []
    answer, silent = cluster.answer, iter(range(3))

    def cut(method: str, path: str, *more: Any) -> Any:
        if "/pods" in path and next(silent, None) is not None:
            return 503, {"message": "no route"}
        return answer(method, path, *more)

    cluster.answer = cut  # type: ignore[method-assign]
    assert applied(tmp_path, served_as_it_is, cluster, said).state == "done"
    assert f"{cluster.address} does not answer; the run waits for it" in [event.message for event in said]


# A model of this machine


class Carrying(KubernetesExecutor):
    """Its object store takes everything."""

    def require_store(self, address: str) -> None:
        pass

    def push_artefacts(self, source: Path, address: str, *, on_message: OnMessage) -> StoredModel:
        self.pushed = (source, address)
        return StoredModel(address, "0123456789abcdef", 3, 10)


def test_a_model_of_this_machine_is_carried_to_where_the_plan_says_it_lies(
    cluster: FakeKubernetes, tmp_path: Path
) -> None:
    plan = make_plan(Request(model=str(DEMO_MODEL), hardware="cpu:8GB"))
    cluster.pods, cluster.log = [{"metadata": {"name": "q"}, "status": {"phase": "Succeeded"}}], run_of(plan)
    sent: list[Document] = []
    cluster.on_apply = lambda document: sent.append(document) or running(document)  # type: ignore[func-returns-value]
    executor = Carrying(tmp_path, patience=HASTE)
    options = ApplyOptions(address=cluster.address, site=Site(artefacts="s3://bucket/x"))
    executor.apply(plan, on_event=lambda event: None, options=options)
    assert executor.pushed == (DEMO_MODEL, f"s3://bucket/x/originals/{run_id_of(plan)}")
    (job,) = [d for d in sent if d["kind"] == "Job"]
    pod = job["spec"]["template"]["spec"]
    assert pod["initContainers"][0]["command"] == [
        "quantplan", "artefacts", "pull", executor.pushed[1], "/quantplan/originals/0123456789abcdef",
    ]  # fmt: skip
    assert {
        "name": "artefacts", "mountPath": str(DEMO_MODEL), "subPath": "originals/0123456789abcdef", "readOnly": True,
    } in pod["containers"][0]["volumeMounts"]  # fmt: skip
    told = next(d for d in sent if d["kind"] == "ConfigMap")["data"]["plan.json"]
    assert json.loads(told)["digest"] == plan.digest  # the very same plan


def test_without_a_store_it_says_exactly_what_to_do(cluster: FakeKubernetes, tmp_path: Path) -> None:
    plan = make_plan(Request(model=str(DEMO_MODEL), hardware="cpu:8GB"))
    with pytest.raises(BadInput) as refused:
        applied(tmp_path, plan, cluster, namespace="default")
    assert str(refused.value) == (
        f"{DEMO_MODEL}: the plan's model is a directory of this machine, which no pod sees\n"
        "To fix: let an object store carry it: --artefacts s3://BUCKET/PREFIX; or plan with the model's hub id;"
        " or copy it to claim pydocs-3m-artefacts of namespace default and plan for it below /quantplan/"
    )
    assert cluster.requests == []


def test_what_is_applied_is_valid_kubernetes(served_as_it_is: Plan, cluster: FakeKubernetes, tmp_path: Path) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    sent: list[Document] = []
    cluster.on_apply = lambda document: sent.append(document) or running(document)  # type: ignore[func-returns-value]
    applied(tmp_path, served_as_it_is, cluster)
    for document in sent:
        validator.validate(yaml.safe_load(yaml.safe_dump(document)), "1.37", strict=True)
