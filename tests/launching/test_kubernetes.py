"""Manifests: what they say of the plan."""

from __future__ import annotations

import pytest
import yaml
from kubernetes_plans import HOSTILE, MODEL, container, manifests, of_kind, over_two_nodes, plan_for

from executor.local import DEMO_MODEL
from planner.errors import BadInput
from planner.launching.rendering import render
from planner.launching.site import Site
from planner.planning import make_plan
from planner.request import Request


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
    environment = {entry["name"]: entry.get("value") for entry in worker["env"]}
    assert environment["QUANTPLAN_CACHE"].startswith("/quantplan/")  # toolchains outlive the pod
    user = job["spec"]["template"]["spec"]["securityContext"]["fsGroup"]
    image = render(plan_for("vllm"), "kubernetes", model=MODEL)["quantplan.Dockerfile"]
    assert f"USER {user}\n" in image


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


# What a site names


def test_the_claim_and_the_nodes_are_as_the_site_says() -> None:
    documents = manifests(plan_for("vllm"), storage_class="efs", node_selector=(("pool", "gpus"),))
    assert of_kind(documents, "PersistentVolumeClaim")["spec"]["storageClassName"] == "efs"
    for kind in ("Job", "Deployment"):
        assert of_kind(documents, kind)["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "gpus"}
    assert "storageClassName" not in of_kind(manifests(plan_for("vllm")), "PersistentVolumeClaim")["spec"]


def test_a_card_without_a_known_label_is_said_and_not_guessed() -> None:
    plan = make_plan(Request(model="llama-3.1-8b", hardware="1xRTX-4060-Ti-16GB", format="gguf-q4_k_m"))
    text = render(plan, "kubernetes", model=MODEL)["serve.yaml"]
    assert "# How nvidia.com/gpu.product names a RTX-4060-Ti-16GB is not known here" in text
    assert (
        "affinity" not in of_kind({"serve": list(yaml.safe_load_all(text))}, "Deployment")["spec"]["template"]["spec"]
    )


@pytest.mark.parametrize(("name", "served"), [("llama.cpp", "/model/model.gguf"), ("vllm", "/model")])
def test_with_an_object_store_the_job_puts_the_model_there_and_the_server_fetches_it(name: str, served: str) -> None:
    plan = plan_for(name)
    documents = manifests(plan, artefacts="s3://bucket/models/", artefacts_secret="store")
    worker = container(of_kind(documents, "Job"))
    assert worker["command"][-2:] == ["--artefacts", "s3://bucket/models/"]
    assert worker["envFrom"] == [{"secretRef": {"name": "store"}}]
    pod = of_kind(documents, "Deployment")["spec"]["template"]["spec"]
    (fetching,) = pod["initContainers"]
    address = f"s3://bucket/models/{plan.digest[7:19]}"
    assert fetching["command"] == ["quantplan", "artefacts", "pull", address, "/model"]
    assert fetching["envFrom"] == [{"secretRef": {"name": "store"}}]
    assert served in pod["containers"][0]["args"]
    assert {"name": "model", "emptyDir": {}} in pod["volumes"]
    assert (
        "quantplan[executor,objects]"
        in render(plan, "kubernetes", site=Site(artefacts="s3://b"))["quantplan.Dockerfile"]
    )


def test_a_model_of_the_machine_that_planned_is_said_to_be_out_of_sight() -> None:
    plan = make_plan(Request(model=str(DEMO_MODEL), hardware="cpu:8GB"))
    assert (
        f"# The plan reads its model from {DEMO_MODEL}, which no pod sees"
        in render(plan, "kubernetes")["quantize.yaml"]
    )
    assert "which no pod sees" not in render(plan_for("vllm"), "kubernetes", model=MODEL)["quantize.yaml"]


def test_a_model_that_lies_in_a_store_already_is_fetched_from_there() -> None:
    files = render(plan_for("vllm"), "kubernetes", model="s3://bucket/my/model")
    pod = of_kind({"s": list(yaml.safe_load_all(files["serve.yaml"]))}, "Deployment")["spec"]["template"]["spec"]
    assert pod["initContainers"][0]["command"][3] == "s3://bucket/my/model"
