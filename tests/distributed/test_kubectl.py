"""A second real client on the same API server of equal standing: kubectl applies and reads what quantplan does."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from fake_kubernetes import FakeKubernetes, fake_kubernetes

from planner.launching.rendering import render
from planner.planning import make_plan
from planner.request import Request

pytest.importorskip("kubernetes", reason="pip install 'quantplan[kubernetes]'")
if shutil.which("kubectl") is None:
    pytest.skip("no kubectl here (Debian: apt-get install kubernetes-client)", allow_module_level=True)

from executor.distributed.kubernetes.api import KubeApi

Kubectl = Callable[..., subprocess.CompletedProcess[str]]
APPLY = ("apply", "--server-side", "--validate=false")  # the schemas are checked elsewhere, by Kubernetes' own


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubernetes]:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    with fake_kubernetes(FakeKubernetes()) as running:
        yield running


@pytest.fixture
def kubectl(cluster: FakeKubernetes, tmp_path: Path) -> Kubectl:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        there = ["--kubeconfig=/dev/null", f"--server={cluster.address}", f"--cache-dir={tmp_path / 'cache'}"]
        return subprocess.run(["kubectl", *there, *arguments], capture_output=True, text=True, timeout=60)

    return run


@pytest.fixture
def files(tmp_path: Path) -> Path:
    plan = make_plan(Request(model="llama-3.1-8b", hardware="1xL4", format="gguf-q4_k_m"))
    for name, text in render(plan, "kubernetes", model="/quantplan/model.gguf").items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_kubectl_applies_what_is_rendered_and_our_client_reads_it(
    cluster: FakeKubernetes, kubectl: Kubectl, files: Path
) -> None:
    done = kubectl(*APPLY, "-f", str(files / "quantize.yaml"), "-f", str(files / "serve.yaml"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("serverside-applied") == len(cluster.objects) == 5
    for document in yaml.safe_load_all((files / "serve.yaml").read_text()):
        found = KubeApi(cluster.address).get(document)
        assert found is not None and found["spec"] == document["spec"]


def test_kubectl_reads_and_deletes_what_our_client_applies(
    cluster: FakeKubernetes, kubectl: Kubectl, files: Path
) -> None:
    documents = list(yaml.safe_load_all((files / "serve.yaml").read_text()))
    for document in documents:
        KubeApi(cluster.address).apply(document)
    read = kubectl("get", "deployments,services,poddisruptionbudgets", "-o", "json")
    assert read.returncode == 0, read.stderr
    assert {d["kind"]: d["spec"] for d in json.loads(read.stdout)["items"]} == {d["kind"]: d["spec"] for d in documents}
    assert kubectl("delete", "-f", str(files / "serve.yaml"), "--wait=false").returncode == 0
    assert cluster.objects == {}


def test_both_are_refused_alike(cluster: FakeKubernetes, kubectl: Kubectl, files: Path) -> None:
    cluster.forbidden = {"patch services"}
    refused = kubectl(*APPLY, "-f", str(files / "serve.yaml"))
    assert 'services is forbidden: User "dev" cannot patch resource "services"' in refused.stderr
    lacking = kubectl(*APPLY, "-f", str(files / "scale-keda.yaml"))
    assert 'no matches for kind "ScaledObject" in version "keda.sh/v1alpha1"' in lacking.stderr
