"""Manifests: what they say of the plan, and valid by the published schemas of the versions that the catalogue names."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest
import yaml

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.launching.rendering import Site, render
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request

MODEL = "/quantplan/runs/0123456789ab/model"
PLANS = {
    "vllm": {"model": "llama-3.1-70b", "hardware": "2xH100-80GB", "format": "awq-int4"},
    "sglang": {"model": "llama-3.1-8b", "hardware": "1xL4", "engine": "sglang", "format": "bf16", "kv_cache": "fp8"},
    "llama.cpp": {"model": "llama-3.1-8b", "hardware": "1xL40S", "format": "gguf-q4_k_m"},
    "cpu": {"model": "llama-3.1-8b", "hardware": "cpu:64GB"},
}
HOSTILE = 'a"b\n  evil: true # $(HOME) {{ x }}'


@cache
def plan_for(name: str) -> Plan:
    return make_plan(Request.model_validate(PLANS[name]))


def over_two_nodes(plan: Plan) -> Plan:
    spread = {"nodes": 2, "tensor_parallel": 8, "pipeline_parallel": 2, "replicas": 1}
    return plan.model_copy(update={"chosen": plan.chosen.model_copy(update=spread)})


def manifests(plan: Plan, **site: str) -> dict[str, list[Any]]:
    files = render(plan, "kubernetes", model=MODEL, site=Site(**site))
    return {name: list(yaml.safe_load_all(text)) for name, text in files.items() if name.endswith(".yaml")}


def of_kind(documents: Mapping[str, list[Any]], kind: str) -> dict[str, Any]:
    (found,) = [d for listed in documents.values() for d in listed if d["kind"] == kind]
    return dict(found)


def container(workload: Mapping[str, Any]) -> dict[str, Any]:
    return dict(workload["spec"]["template"]["spec"]["containers"][0])


# What they say


def test_the_server_asks_for_the_planned_gpus_where_they_are() -> None:
    plan = plan_for("vllm")
    pod = of_kind(manifests(plan), "Deployment")["spec"]["template"]["spec"]
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["key"] == "nvidia.com/gpu.product"
    assert term["matchExpressions"][0]["values"] == ["NVIDIA-H100-80GB-HBM3"]
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == str(plan.chosen.tensor_parallel)


def test_the_server_runs_the_planned_command() -> None:
    plan = plan_for("vllm")
    server = container(of_kind(manifests(plan), "Deployment"))
    assert server["command"] == ["vllm", "serve"]
    assert server["args"][0] == "/model"
    assert [word for word in plan.chosen.engine_arguments if word not in server["args"]] == []


def test_a_start_may_take_as_long_as_the_plan_predicts() -> None:
    plan = plan_for("vllm")
    launch = next(stage for stage in plan.stages if stage.kind == "launch")
    probe = container(of_kind(manifests(plan), "Deployment"))["startupProbe"]
    allowed_s = probe["periodSeconds"] * probe["failureThreshold"]
    assert 0 <= allowed_s - launch.parameters["ready_within_s"] < probe["periodSeconds"]


def test_the_job_asks_for_the_memory_that_quantizing_takes_at_most() -> None:
    plan = plan_for("vllm")
    job = of_kind(manifests(plan), "Job")
    asked_gib = int(container(job)["resources"]["requests"]["memory"].removesuffix("Gi"))
    assert plan.quantizing is not None and plan.quantizing.host_gib.high is not None
    assert 0 <= asked_gib - plan.quantizing.host_gib.high < 1
    claim = of_kind(manifests(plan), "PersistentVolumeClaim")
    stored_gib = int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi"))
    assert stored_gib > plan.model.weights_16bit_gib


def test_the_job_applies_the_plan_and_goes_on_where_it_stopped() -> None:
    job = of_kind(manifests(plan_for("vllm"), image="registry/quantplan:1"), "Job")
    worker = container(job)
    assert worker["command"] == ["quantplan", "apply", "/plan/plan.json", "--json"]
    assert worker["image"] == "registry/quantplan:1"
    homes = [mount["name"] for mount in worker["volumeMounts"] if mount["mountPath"] == "/quantplan"]
    volumes = {volume["name"]: volume for volume in job["spec"]["template"]["spec"]["volumes"]}
    assert "persistentVolumeClaim" in volumes[homes[0]]
    assert job["spec"]["backoffLimit"] > 0


def test_on_a_cpu_the_memory_is_what_the_memory_model_says() -> None:
    plan = plan_for("cpu")
    asked = container(of_kind(manifests(plan), "Deployment"))["resources"]["requests"]
    assert set(asked) == {"memory"}
    assert int(asked["memory"].removesuffix("Gi")) >= plan.chosen.memory.used_gib


def test_a_token_is_named_and_never_written() -> None:
    server = container(of_kind(manifests(plan_for("vllm"), secret="hub"), "Deployment"))
    (token,) = [entry for entry in server["env"] if entry["name"] == "HF_TOKEN"]
    assert token["valueFrom"] == {"secretKeyRef": {"name": "hub", "key": "token"}}


@pytest.mark.parametrize(
    ("engine", "metric"),
    [
        ("vllm", "vllm:num_requests_waiting"),
        ("sglang", "sglang:num_queue_reqs"),
        ("llama.cpp", "llamacpp:requests_deferred"),
    ],
)
def test_copies_follow_the_engines_own_count_of_waiting_requests(engine: str, metric: str) -> None:
    documents = manifests(plan_for(engine), namespace="models")
    query = of_kind(documents, "ScaledObject")["spec"]["triggers"][0]["metadata"]["query"]
    assert query.startswith(f'sum({metric}{{namespace="models"')
    pods = of_kind(documents, "HorizontalPodAutoscaler")["spec"]["metrics"][0]["pods"]
    assert pods["metric"]["name"] == metric.replace(":", "_")


def test_llama_cpp_is_told_to_publish_its_metrics() -> None:
    assert "--metrics" in container(of_kind(manifests(plan_for("llama.cpp")), "Deployment"))["args"]


def test_a_copy_over_nodes_is_a_leader_and_its_workers() -> None:
    documents = manifests(over_two_nodes(plan_for("vllm")))
    group = of_kind(documents, "LeaderWorkerSet")["spec"]["leaderWorkerTemplate"]
    leader, worker = (group[f"{role}Template"]["spec"]["containers"][0] for role in ("leader", "worker"))
    assert group["size"] == 2
    assert leader["resources"]["limits"]["nvidia.com/gpu"] == "8"
    assert "--master-addr=$(LWS_LEADER_ADDRESS)" in leader["args"] and "--headless" not in leader["args"]
    assert "--headless" in worker["args"] and "startupProbe" not in worker
    assert of_kind(documents, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["kind"] == "LeaderWorkerSet"


def test_over_nodes_only_vllm() -> None:
    with pytest.raises(BadInput, match="over several nodes only vLLM is rendered; the plan is for sglang"):
        manifests(over_two_nodes(plan_for("sglang")))


def test_a_hostile_name_stays_a_value() -> None:
    plan = plan_for("vllm")
    named = plan.model_copy(update={"model": plan.model.model_copy(update={"name": HOSTILE})})
    server = container(of_kind(manifests(named), "Deployment"))
    (said,) = [word for word in server["args"] if word.startswith("--served-model-name=")]
    assert said == f"--served-model-name={HOSTILE}".replace("$(", "$$(")  # Kubernetes reads $$( as $(


def test_an_engine_without_an_image_is_refused() -> None:
    plan = make_plan(Request(model="llama-3.1-8b", hardware="1xL40S", format="nf4", engine="transformers"))
    with pytest.raises(BadInput, match="no container image of transformers is published for a gpu"):
        manifests(plan)


# Valid by the schemas of the versions that the catalogue names

VARIANTS = [*PLANS, "two nodes"]


def documents_of(variant: str) -> Iterator[dict[str, Any]]:
    plan = over_two_nodes(plan_for("vllm")) if variant == "two nodes" else plan_for(variant)
    for listed in manifests(plan, secret="hub").values():
        yield from listed


@pytest.mark.parametrize("variant", VARIANTS)
def test_kubernetes_own_schemas_accept_them(variant: str) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    version = load_yaml("kubernetes.yaml")["versions"]["kubernetes"]["name"]
    own = [d for d in documents_of(variant) if "." not in d["apiVersion"].split("/")[0]]
    assert {"Service"} < {d["kind"] for d in own}
    for document in own:
        validator.validate(document, version, strict=True)


def test_the_schemas_refuse_a_misspelt_field() -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    deployment = of_kind(manifests(plan_for("vllm")), "Deployment")
    deployment["spec"]["replica"] = 1
    with pytest.raises(validator.ValidationError):
        validator.validate(deployment, "1.37", strict=True)


LWS_FIELDS = {"replicas", "leaderWorkerTemplate", "rolloutStrategy", "startupPolicy", "networkConfig"}
LWS_TEMPLATE_FIELDS = {
    "leaderTemplate", "workerTemplate", "size", "restartPolicy", "subGroupPolicy", "resizePolicy",
    "volumeClaimTemplates", "persistentVolumeClaimRetentionPolicy",
}  # fmt: skip


def test_a_leader_worker_set_has_only_fields_it_knows_and_valid_pods() -> None:
    """Its own fields by kubernetes-sigs/lws, api/leaderworkerset/v1; its pods by Kubernetes: a PodTemplate."""
    validator = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    spec = of_kind(manifests(over_two_nodes(plan_for("vllm"))), "LeaderWorkerSet")["spec"]
    assert set(spec) <= LWS_FIELDS and set(spec["leaderWorkerTemplate"]) <= LWS_TEMPLATE_FIELDS
    assert spec["leaderWorkerTemplate"]["restartPolicy"] in ("RecreateGroupOnPodRestart", "None", "Default")
    for role in ("leader", "worker"):
        template = spec["leaderWorkerTemplate"][f"{role}Template"]
        pod = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": role}, "template": template}
        validator.validate(pod, "1.37", strict=True)


@pytest.mark.parametrize("variant", PLANS)
def test_kserve_knows_every_field_of_the_inference_service(variant: str) -> None:
    models = kserve_models()
    service = of_kind(manifests(plan_for(variant)), "InferenceService")
    assert list(unknown_fields(service, models.V1beta1InferenceService, models)) == []
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
