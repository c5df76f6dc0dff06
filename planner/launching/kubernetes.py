"""A plan as Kubernetes manifests: a Job that carries it out, a server, its autoscalers, and KServe's form of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.launching import quoting
from planner.plan import Plan, Prediction
from planner.templates import template_directory

if TYPE_CHECKING:
    from planner.launching.rendering import Files, Launching

NAME_LENGTH = 40  # with our suffixes, what Kubernetes adds to a pod's name stays within a label's 63 characters
GPU = "nvidia.com/gpu"


@dataclass(frozen=True)
class Deployed:
    """A plan's server as Kubernetes is told of it."""

    launching: Launching

    @property
    def plan(self) -> Plan:
        return self.launching.plan

    @property
    def namespace(self) -> str:
        return self.launching.site.namespace

    @property
    def secret(self) -> str | None:
        return self.launching.site.secret

    @property
    def own_image(self) -> str:
        return self.launching.site.image or f"quantplan:{self.plan.quantplan_version}"

    @cached_property
    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = load_yaml("kubernetes.yaml")
        return found

    @property
    def name(self) -> str:
        return quoting.slug(self.plan.model.name)[:NAME_LENGTH].strip("-")

    @property
    def labels(self) -> dict[str, str]:
        return self._labels("server")

    @property
    def making_labels(self) -> dict[str, str]:
        return self._labels("quantize")

    def _labels(self, component: str) -> dict[str, str]:
        named = {"app.kubernetes.io/name": self.name, "app.kubernetes.io/component": component}
        return {**named, "app.kubernetes.io/managed-by": "quantplan"}

    @property
    def claim(self) -> str:
        return f"{self.name}-artefacts"

    # The server

    @property
    def image(self) -> str:
        """BadInput where no image is published for the engine on this hardware."""
        found = self.launching.image
        if found is None:
            raise BadInput(
                f"no container image of {self.plan.chosen.engine} is published for a {self.launching.hardware_kind}",
                fix="plan with --engine vllm, or render it as compose and publish the image it builds",
            )
        return found

    @property
    def command(self) -> list[str]:
        """The server's command line; over several nodes each adds its own rank."""
        publishing = self.facts["waiting_metrics"].get(self.plan.chosen.engine, {}).get("arguments", [])
        return [*self.launching.command(self.launching.mounted, "0.0.0.0", "container_program"), *publishing]

    @property
    def program_words(self) -> int:
        return len(self.launching.engine.get("container_program", self.launching.engine["program"]))

    @property
    def mounts_model(self) -> bool:
        return self.launching.mounted != self.launching.model

    @property
    def sub_path(self) -> str:
        """Where the model lies on the claim: the path that was given, below the claim's root."""
        return self.launching.model.removeprefix("/quantplan").lstrip("/")

    @property
    def ready_within_s(self) -> int:
        """How long a start may take: as the plan's own launch stage has it from its prediction."""
        stages = [stage for stage in self.plan.stages if stage.kind == "launch"]
        predicted = stages[0].parameters.get("ready_within_s") if stages else None
        return ceil(float(predicted or load_yaml("launch.yaml")["ready_within_s"]))

    @property
    def probe_period_s(self) -> int:
        return int(self.facts["probe_period_s"])

    @property
    def readiness_failures(self) -> int:
        return int(self.facts["readiness_failures"])

    @property
    def start_failures(self) -> int:
        return ceil(self.ready_within_s / self.probe_period_s)

    # What it takes

    @property
    def gpus(self) -> int:
        """Accelerators of one pod."""
        chosen = self.plan.chosen
        on_gpu = self.launching.hardware_kind == "gpu"
        return int(chosen.tensor_parallel * chosen.pipeline_parallel // chosen.nodes) if on_gpu else 0

    @property
    def products(self) -> list[str]:
        """The values of nvidia.com/gpu.product that are the planned card; empty where its label is not known."""
        found: list[str] = self.facts["gpu_products"].get(self.plan.hardware.name, []) if self.gpus else []
        return found

    @property
    def memory_gib(self) -> int | None:
        """Host memory that the memory model predicts for the server, rounded up; None where it does not."""
        told = _highest(p for p in self.plan.chosen.predictions if p.name == "host_memory_gib")
        if told is None and not self.gpus:
            told = self.plan.chosen.memory.used_gib
        return ceil(told) if told else None

    @property
    def requests(self) -> dict[str, str]:
        return self._resources(self.memory_gib)

    @property
    def limits(self) -> dict[str, str]:
        return self._resources(self.memory_gib)

    @property
    def making_requests(self) -> dict[str, str]:
        """What the Job asks for: the server's GPUs, which it measures, and the memory that quantizing takes at most."""
        needs = self.plan.quantizing
        made = _highest([needs.host_gib]) if needs else None
        return self._resources(ceil(max(made or 0, self.memory_gib or 0)) or None)

    @property
    def making_limits(self) -> dict[str, str]:
        return self.making_requests

    @property
    def claim_gib(self) -> int:
        """The original, and what quantizing writes at most."""
        needs = self.plan.quantizing
        written = _highest([needs.disk_gib]) if needs else None
        return max(1, ceil(self.plan.model.weights_16bit_gib + (written or 0)))

    @property
    def shared_memory_gib(self) -> int:
        return int(self.facts["shared_memory_gib"])

    def _resources(self, memory_gib: int | None) -> dict[str, str]:
        gpus = {GPU: str(self.gpus)} if self.gpus else {}
        return {**gpus, **({"memory": f"{memory_gib}Gi"} if memory_gib else {})}

    # Autoscaling

    @property
    def scaling(self) -> dict[str, Any]:
        found: dict[str, Any] = self.facts["autoscaling"]
        return found

    @property
    def waiting_metric(self) -> str | None:
        """The engine's own count of requests that wait; None where it publishes none."""
        found = self.facts["waiting_metrics"].get(self.plan.chosen.engine)
        return str(found["name"]) if found else None

    @property
    def adapted_metric(self) -> str:
        return (self.waiting_metric or "").replace(":", "_")

    @property
    def waiting_query(self) -> str:
        return f'sum({self.waiting_metric}{{namespace="{self.namespace}",pod=~"{self.name}-.*"}})'

    @property
    def most_copies(self) -> int:
        return int(self.plan.chosen.replicas * self.scaling["most_copies_factor"])

    @property
    def target(self) -> dict[str, str]:
        """What is scaled."""
        if self.plan.chosen.nodes > 1:
            return {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "name": self.name}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "name": self.name}


def render_kubernetes(launching: Launching) -> Files:
    """The manifests by name. BadInput where the plan cannot be served there."""
    deployed, plan = Deployed(launching), launching.plan
    if plan.chosen.nodes > 1 and plan.chosen.engine != "vllm":
        raise BadInput(
            f"over several nodes only vLLM is rendered; the plan is for {plan.chosen.engine}",
            fix="plan with --engine vllm, or for one node",
        )
    making = ["quantize.yaml", "quantplan.Dockerfile"] if any(s.kind == "quantize" for s in plan.stages) else []
    scaling = ["scale-hpa.yaml", "scale-keda.yaml"] if deployed.waiting_metric else []
    kserve = ["kserve.yaml"] if plan.chosen.nodes == 1 else []
    return {name: _rendered(f"{name}.j2", deployed) for name in [*making, "serve.yaml", *scaling, *kserve]}


def kubernetes_text(value: Any) -> str:
    """A YAML value in JSON's notation; `$(` is doubled, for Kubernetes would expand it."""
    return json.dumps(value, ensure_ascii=True).replace("$(", "$$(")


def _rendered(name: str, deployed: Deployed) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template_directory() / "launch" / "kubernetes"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # these are no pages: each value goes through the filter of its syntax
    )
    environment.filters |= {"k8s": kubernetes_text, "one_line": quoting.one_line}
    values: dict[str, Any] = {"deployed": deployed, "plan": deployed.plan, "limits": load_yaml("launch.yaml")}
    environment.globals |= values
    pod = environment.get_template("_pod.yaml.j2").module
    text = environment.get_template(name).render(pod=pod)
    return "\n".join(line for line in text.splitlines() if line.strip()) + "\n"


def _highest(predictions: Iterable[Prediction]) -> float | None:
    """The upper end of the first prediction that has one."""
    known = (p.high or p.value for p in predictions)
    return next((value for value in known if value is not None), None)
