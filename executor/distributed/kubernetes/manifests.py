"""The documents of a plan on a cluster: what makes its model, what serves it, and what puts that under load."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from executor.distributed.kubernetes.refusals import Document
from executor.steps.earlier import stage_of
from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.launching.kubernetes import LOAD, MAKES, SERVER, Original, rendered
from planner.launching.kubernetes_deployed import CLAIM_ROOT, Deployed
from planner.launching.launching import Launching
from planner.launching.site import Site
from planner.plan import Plan
from planner.ports import StoredModel

OPTIONS = {
    "input_tokens": "--input-tokens",
    "output_tokens": "--output-tokens",
    "requests": "--requests",
    "warmup_requests": "--warmup-requests",
    "concurrency": "--concurrency",
    "rate_per_s": "--rate",
    "variation": "--variation",
}


def deployed_as(plan: Plan, site: Site, model: str) -> Deployed:
    """The plan's server there, with its model at a path of the claim, a hub id or an object store's address."""
    return Deployed(Launching(plan, model, int(load_yaml("launch.yaml")["port"]), site))


def making(deployed: Deployed, original: Original | None) -> list[Document]:
    """The plan as a ConfigMap, the claim and the Job, in this order."""
    claim, job = list(yaml.safe_load_all(rendered(MAKES, deployed, original)))
    job["metadata"]["name"] = f"{job['metadata']['name']}-{deployed.run_id}"
    plan_volume = next(v for v in job["spec"]["template"]["spec"]["volumes"] if v["name"] == "plan")
    plan_volume["configMap"]["name"] = job["metadata"]["name"]
    metadata = {"name": job["metadata"]["name"], "namespace": job["metadata"]["namespace"]}
    content = {"plan.json": deployed.plan.as_json()}
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": content}, claim, job]


def serving(deployed: Deployed) -> list[Document]:
    """The server's own workload first, then its Service and its disruption budget."""
    return list(yaml.safe_load_all(rendered(SERVER, deployed)))


def loading(deployed: Deployed) -> Document:
    """The Job that puts the planned load on the server from inside the cluster."""
    command = load_command(deployed.plan, url_of(deployed))
    name = f"{deployed.name}-load-{deployed.run_id}"
    job: Document = yaml.safe_load(rendered(LOAD, deployed, load_name=name, load_command=command))
    return job


def load_command(plan: Plan, url: str) -> list[str]:
    """`quantplan bench` with the plan's load. BadInput where that takes its lengths from a file of this machine."""
    stage = stage_of(plan, "load-test")
    asked: dict[str, Any] = dict(stage.parameters) if stage else {}
    if asked.get("lengths_file"):
        raise BadInput(
            "the plan's load takes its lengths from a file of this machine, which no pod sees",
            where=str(asked["lengths_file"]),
            fix="plan without --lengths, or keep the server from another plan",
        )
    if asked.get("rate_per_s") is not None:
        asked.pop("concurrency", None)
    options = [word for name, option in OPTIONS.items() if asked.get(name) for word in (option, str(asked[name]))]
    named = ["--engine", plan.chosen.engine, "--model", plan.model.name]
    return ["quantplan", "bench", url, *named, *options, "--json"]


def url_of(deployed: Deployed) -> str:
    """The server's address inside the cluster."""
    return f"http://{deployed.name}.{deployed.site.namespace}.svc"


def local_model(plan: Plan) -> Path | None:
    """The original where it is a directory or file of this machine that is not below the claim's root.

    BadInput for a path that only holds where the plan was made: a pod has another working directory.
    """
    stage = stage_of(plan, "fetch")
    source = Path(str(stage.parameters.get("source", ""))) if stage else Path()
    local = source.expanduser()
    if source == Path() or not local.exists() or str(local).startswith(f"{CLAIM_ROOT}{os.sep}"):
        return None
    if not source.is_absolute():
        fix = f"plan again with its full path: {local.absolute()}"
        raise BadInput("the plan names its model by a path that only holds on this machine", where=str(source), fix=fix)
    return local


def original_there(local: Path, stored: StoredModel) -> Original:
    """Where the Job puts a fetched original on its claim, and mounts it: at the very path that the plan names."""
    directory = f"originals/{stored.content_id}"
    name = f"/{load_yaml('kubernetes.yaml')['stored_gguf']}" if local.is_file() else ""
    return Original(stored.address, str(local), directory, f"{directory}{name}")


def refused_model(local: Path, namespace: str, claim: str) -> BadInput:
    """A local model without an object store to carry it: what to do, exactly."""
    return BadInput(
        "the plan's model is a directory of this machine, which no pod sees",
        where=str(local),
        fix="let an object store carry it: --artefacts s3://BUCKET/PREFIX; or plan with the model's hub id;"
        f" or copy it to claim {claim} of namespace {namespace} and plan for it below {CLAIM_ROOT}/",
    )
