"""The whole of `apply --on kubernetes --keep`, with what is applied really run: a model of this machine is carried
through an object store, quantized by the Job, served by the Deployment, measured by the load Job, and stopped."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_kubernetes import fake_kubernetes
from kubelet import QUANTPLAN, Kubelet

sys.path.append(str(Path(__file__).parents[1] / "objects"))
from stores import BUCKET, KEY, SECRET, moto

pytest.importorskip("kubernetes", reason="pip install 'quantplan[kubernetes]'")
pytest.importorskip("boto3", reason="pip install 'quantplan[objects]'")
from executor.distributed.kubernetes.api import Patience
from executor.distributed.kubernetes.executor import KubernetesExecutor
from executor.engines import engine_of
from executor.local import DEMO_MODEL
from executor.objects.store import Store
from executor.toolchains import Toolchains
from planner.cache import cache_directory
from planner.launching.site import Site
from planner.plan import Plan
from planner.planning import make_plan
from planner.ports import ApplyOptions
from planner.request import Request, Workload

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.environ.get("QUANTPLAN_REAL") != "1", reason="QUANTPLAN_REAL=1 runs it"),
]
PATIENCE = Patience(request_s=120, poll_s=0.5, silent_s=30, pending_s=60)


@pytest.fixture(scope="module")
def plan() -> Plan:
    workload = Workload(concurrency=2, input_tokens=64, output_tokens=32)
    return make_plan(Request(model=str(DEMO_MODEL), hardware="cpu:8GB", format="gguf-q4_k_m", workload=workload))


@pytest.fixture
def cluster(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubelet]:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    for name, value in {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}.items():
        monkeypatch.setenv(name, value)
    with moto() as store:
        monkeypatch.setenv("AWS_ENDPOINT_URL", store)
        Store(f"s3://{BUCKET}").client.create_bucket(Bucket=BUCKET)
        programs = {"quantplan": [QUANTPLAN], "/app/llama-server": engine_of(plan).program(Toolchains())}
        toolchains = {"QUANTPLAN_CACHE": str(cache_directory())}  # as if the claim had them already
        node = Kubelet(directory=tmp_path, programs=programs, environment=toolchains)
        with fake_kubernetes(node) as running:
            yield running  # type: ignore[misc]
        node.stop_all()


def test_the_same_plan_goes_through_a_cluster(plan: Plan, cluster: Kubelet, tmp_path: Path) -> None:
    executor = KubernetesExecutor(tmp_path / "home", patience=PATIENCE)
    options = ApplyOptions(keep=True, address=cluster.address, site=Site(artefacts=f"s3://{BUCKET}/x"))
    record = executor.apply(plan, on_event=lambda event: print(event.step, event.state, event.message), options=options)
    assert record.state == "done"
    found = {finding.name: finding for finding in record.findings}
    assert found["artifact_bytes"].inside is True
    assert found["ttft_ms"].measured and found["output_tokens_per_s"].measured
    (original,) = (tmp_path / "claim" / "originals").iterdir()
    assert (original / "model.safetensors").read_bytes() == (DEMO_MODEL / "model.safetensors").read_bytes()
    (kept,) = record.deployments
    assert [pod.phase for pod in cluster.running.values()] == ["Succeeded", "Running"]
    executor.stop(kept.deployment_id)
    assert [d["kind"] for d in cluster.objects.values()] == ["ConfigMap", "PersistentVolumeClaim", "Job"]
    assert [pod.phase for pod in cluster.running.values()] == ["Succeeded"]
