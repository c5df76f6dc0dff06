"""Manifests are valid by the published schemas of the versions that the catalogue names: each kind by its own."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from kubernetes_plans import PLANS, manifests, of_kind, over_two_nodes, plan_for

from planner.catalog import load_yaml

validator = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
jsonschema = pytest.importorskip("jsonschema", reason="pip install kubernetes-validate")

CRDS = Path(__file__).with_name("crds")
VERSION = load_yaml("kubernetes.yaml")["versions"]["kubernetes"]["name"]
KSERVE_OWN = {"minReplicas", "maxReplicas"}
VARIANTS = [*PLANS, "two nodes", "stored"]


def documents_of(variant: str) -> Iterator[dict[str, Any]]:
    """Everything that is rendered for a plan; "stored": with all that a site may name."""
    plan = over_two_nodes(plan_for("vllm")) if variant == "two nodes" else plan_for(PLAN_OF.get(variant, variant))
    for listed in manifests(plan, **(EVERYTHING if variant == "stored" else {"secret": "hub"})).values():
        yield from listed


PLAN_OF = {"stored": "llama.cpp"}
EVERYTHING = {
    "namespace": "models", "secret": "hub", "image": "registry/quantplan:1", "storage_class": "efs",
    "node_selector": (("pool", "gpus"),), "artefacts": "s3://bucket/prefix", "artefacts_secret": "store",
}  # fmt: skip


def pod_template(template: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "checked"}, "template": template}


@pytest.mark.parametrize("variant", VARIANTS)
def test_kubernetes_own_schemas_accept_them(variant: str) -> None:
    own = [d for d in documents_of(variant) if "." not in d["apiVersion"].split("/")[0]]
    assert {"Service"} < {d["kind"] for d in own}
    for document in own:
        validator.validate(document, VERSION, strict=True)


def test_the_schemas_refuse_a_misspelt_field() -> None:
    deployment = of_kind(manifests(plan_for("vllm")), "Deployment")
    deployment["spec"]["replica"] = 1
    with pytest.raises(validator.ValidationError):
        validator.validate(deployment, VERSION, strict=True)


@pytest.fixture(scope="module")
def leader_worker_set() -> dict[str, Any]:
    return of_kind(manifests(over_two_nodes(plan_for("vllm"))), "LeaderWorkerSet")


def test_a_leader_worker_set_is_one_by_its_published_fields(leader_worker_set: dict[str, Any]) -> None:
    schema = yaml.safe_load((CRDS / "leaderworkerset.yaml").read_text())
    jsonschema.validate(leader_worker_set, schema)
    group = leader_worker_set["spec"]["leaderWorkerTemplate"]
    for wrong in ({**group, "sizes": 2}, {**group, "size": "2"}, {**group, "restartPolicy": "Always"}, {}):
        spec = {**leader_worker_set["spec"], "leaderWorkerTemplate": wrong}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**leader_worker_set, "spec": spec}, schema)


@pytest.mark.parametrize("role", ["leader", "worker"])
def test_its_pods_are_pods_of_kubernetes(leader_worker_set: dict[str, Any], role: str) -> None:
    template = leader_worker_set["spec"]["leaderWorkerTemplate"][f"{role}Template"]
    validator.validate(pod_template(template), VERSION, strict=True)


@pytest.mark.parametrize("variant", ["vllm", "sglang", "llama.cpp", "two nodes"])
def test_keda_reads_the_scaled_object_whole(variant: str) -> None:
    """The model that was generated from KEDA's CRD takes every field, under its name and with its type."""
    keda = pytest.importorskip("cloudcoil.models.keda.v1alpha1", reason="pip install cloudcoil-models-keda")
    (scaled,) = [d for d in documents_of(variant) if d["kind"] == "ScaledObject"]

    def read(document: dict[str, Any]) -> Any:
        return keda.ScaledObject.model_validate(document).model_dump(by_alias=True, exclude_unset=True, mode="json")

    assert read(scaled) == scaled
    misspelt = {**scaled, "spec": {**scaled["spec"], "maxReplicas": 4}}
    assert read(misspelt) != misspelt


@pytest.mark.parametrize("variant", [*PLANS, "stored"])
def test_kserve_knows_every_field_of_the_inference_service(variant: str) -> None:
    models = kserve_models()
    (service,) = [d for d in documents_of(variant) if d["kind"] == "InferenceService"]
    assert list(unknown_fields(service, models.V1beta1InferenceService, models)) == []
    pod = {key: value for key, value in service["spec"]["predictor"].items() if key not in KSERVE_OWN}
    validator.validate(pod_template({"metadata": {}, "spec": pod}), VERSION, strict=True)
    service["spec"]["predictor"]["minReplica"] = 1
    assert list(unknown_fields(service, models.V1beta1InferenceService, models)) == ["spec.predictor.minReplica"]


def kserve_models() -> ModuleType:
    """kserve.models without the package above it, whose imports are a server's."""
    pytest.importorskip("kubernetes", reason="pip install kubernetes")
    found = importlib.util.find_spec("kserve")
    if found is None or found.submodule_search_locations is None:
        pytest.skip("pip install --no-deps kserve")
    package = ModuleType("kserve")
    package.__path__ = list(found.submodule_search_locations)
    package.__spec__ = ModuleSpec("kserve", None, is_package=True)
    sys.modules.setdefault("kserve", package)
    return importlib.import_module("kserve.models")


def unknown_fields(value: Any, model: Any, models: ModuleType, path: str = "") -> Iterator[str]:
    """Keys that the generated model of KServe, or of Kubernetes below it, has no attribute for."""
    if isinstance(value, list):
        for entry in value:
            yield from unknown_fields(entry, model, models, path)
        return
    if not isinstance(value, dict) or not hasattr(model, "openapi_types"):
        return
    attributes = {key: name for name, key in model.attribute_map.items()}
    for key, inner in value.items():
        where = f"{path}.{key}".lstrip(".")
        if key not in attributes:
            yield where
            continue
        type_name = model.openapi_types[attributes[key]].removeprefix("list[").rstrip("]")
        yield from unknown_fields(inner, model_named(type_name, models), models, where)


def model_named(name: str, models: ModuleType) -> Any:
    import kubernetes.client

    return getattr(models, name, None) or getattr(kubernetes.client, name, None)
