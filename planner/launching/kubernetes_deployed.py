"""A plan's server, and the Job that makes its model, as Kubernetes is told of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.launching import quoting
from planner.launching.launching import IN_CONTAINER, Launching
from planner.launching.locating import making_stage
from planner.launching.site import Site
from planner.plan import Plan, Prediction
from planner.planning.apart import BOOTSTRAP_PORT

NAME_LENGTH = 40  # with our suffixes, what Kubernetes adds to a pod's name stays within a label's 63 characters
GPU = "nvidia.com/gpu"
CLAIM_ROOT = "/quantplan"


@dataclass(frozen=True)
class Deployed:
    """One server of a plan. `part` names it among several: a pool, say."""

    launching: Launching
    part: str = ""

    @property
    def plan(self) -> Plan:
        return self.launching.plan

    @property
    def site(self) -> Site:
        return self.launching.site

    @cached_property
    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = load_yaml("kubernetes.yaml")
        return found

    # Names

    @property
    def name(self) -> str:
        whole = f"{quoting.slug(self.plan.model.name)[:NAME_LENGTH].strip('-')}-{self.part}"
        return whole.strip("-")

    @property
    def claim(self) -> str:
        return f"{quoting.slug(self.plan.model.name)[:NAME_LENGTH].strip('-')}-artefacts"

    @property
    def labels(self) -> dict[str, str]:
        return self.labels_of("server")

    def labels_of(self, component: str) -> dict[str, str]:
        named = {"app.kubernetes.io/name": self.name, "app.kubernetes.io/component": component}
        return {**named, "app.kubernetes.io/managed-by": "quantplan"}

    @property
    def own_image(self) -> str:
        return self.site.image or f"quantplan:{self.plan.quantplan_version}"

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
        server = self.launching.command(self.mounted, "0.0.0.0", "container_program")
        return [*self.ranking, *server, *publishing]

    @property
    def works_out_its_rank(self) -> bool:
        """Whether a node's first attention copy follows from its number: Kubernetes itself does not calculate."""
        return self.plan.chosen.nodes > 1 and self.plan.chosen.data_parallel > 1

    @property
    def attention_copies_of_a_node(self) -> int:
        return self.plan.chosen.data_parallel // self.plan.chosen.nodes

    @property
    def ranking(self) -> list[str]:
        """The shell that works it out, and ends in the server itself."""
        if not self.works_out_its_rank:
            return []
        first = f"$((LWS_WORKER_INDEX * {self.attention_copies_of_a_node}))"
        return ["sh", "-c", f'exec "$@" --data-parallel-start-rank={first}', "sh"]

    @property
    def bootstrap_port(self) -> int | None:
        """Where SGLang's decode servers find a prompt server; None for every other server."""
        return BOOTSTRAP_PORT if self.part == "prefill" and self.plan.chosen.engine == "sglang" else None

    @property
    def moves_caches(self) -> bool:
        """Whether it is a server of a pool that vLLM's NIXL reaches by the address of its pod."""
        return bool(self.part) and self.plan.chosen.engine == "vllm"

    @property
    def program_words(self) -> int:
        program = self.launching.engine.get("container_program", self.launching.engine["program"])
        return len(self.ranking) + len(program)

    @property
    def ready_within_s(self) -> int:
        """How long a start may take: as the plan's own launch stage has it from its prediction."""
        stages = [stage for stage in self.plan.stages if stage.kind == "launch"]
        predicted = stages[0].parameters.get("ready_within_s") if stages else None
        return ceil(float(predicted or load_yaml("launch.yaml")["ready_within_s"]))

    @property
    def start_failures(self) -> int:
        return ceil(self.ready_within_s / int(self.facts["probe_period_s"]))

    # Where its model lies

    @property
    def stored(self) -> str | None:
        """The model's address in an object store; None where it lies on the claim or comes from the Hub."""
        if "://" in self.launching.model:
            return self.launching.model
        return f"{self.site.artefacts.rstrip('/')}/{self.run_id}" if self.site.artefacts and self.makes else None

    @property
    def makes(self) -> bool:
        return making_stage(self.plan) is not None

    @property
    def path_here(self) -> str | None:
        """The original's path where it was planned, which no pod sees; None for a hub id or a path of the claim."""
        source = next((str(s.parameters.get("source", "")) for s in self.plan.stages if s.kind == "fetch"), "")
        return source if source.startswith(("/", "~")) and not source.startswith(f"{CLAIM_ROOT}/") else None

    @property
    def run_id(self) -> str:
        """The run that the plan becomes where it is applied: the first digits of its digest."""
        return self.plan.digest.removeprefix("sha256:")[:12]

    @property
    def on_claim(self) -> bool:
        return self.stored is None and self.launching.mounted != self.launching.model

    @property
    def sub_path(self) -> str:
        """Where the model lies on the claim: the path that was given, below the claim's root."""
        return self.launching.model.removeprefix(CLAIM_ROOT).lstrip("/")

    @property
    def mounted(self) -> str:
        """Where the server finds its model: a GGUF file from a store has the one name that `artefacts push` gives."""
        if self.stored is None:
            return self.launching.mounted
        is_file = self.plan.chosen.format.startswith("gguf-")
        return f"{IN_CONTAINER}/{self.facts['stored_gguf']}" if is_file else IN_CONTAINER

    @property
    def environment(self) -> dict[str, str]:
        offline = load_yaml("launch.yaml")["environment"] if self.stored else {}
        return {**offline, **self.launching.environment}

    # What it takes

    @property
    def gpus(self) -> int:
        """Accelerators of one pod."""
        chosen = self.plan.chosen
        on_gpu = self.launching.hardware_kind == "gpu"
        return int(chosen.accelerators // chosen.nodes) if on_gpu else 0

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
    def resources(self) -> dict[str, str]:
        return self._resources(self.memory_gib)

    @property
    def making_resources(self) -> dict[str, str]:
        """What the Job asks for: the server's GPUs, which it measures, and the memory that quantizing takes at most."""
        needs = self.plan.quantizing
        made = _highest([needs.host_gib]) if needs else None
        return self._resources(ceil(max(made or 0, self.memory_gib or 0)) or None)

    @property
    def claim_gib(self) -> int:
        """The original, and what quantizing writes at most."""
        needs = self.plan.quantizing
        written = _highest([needs.disk_gib]) if needs else None
        return max(1, ceil(self.plan.model.weights_16bit_gib + (written or 0)))

    def _resources(self, memory_gib: int | None) -> dict[str, str]:
        gpus = {GPU: str(self.gpus)} if self.gpus else {}
        return {**gpus, **({"memory": f"{memory_gib}Gi"} if memory_gib else {})}


def _highest(predictions: Iterable[Prediction]) -> float | None:
    """The upper end of the first prediction that has one."""
    known = (p.high or p.value for p in predictions)
    return next((value for value in known if value is not None), None)
