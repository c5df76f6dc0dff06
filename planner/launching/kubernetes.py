"""A plan as Kubernetes manifests: a Job that carries it out, its servers, their autoscalers, and KServe's form of them.

The templates are in `templates/launch/kubernetes`. A plan has one server, or one a pool: each is rendered alike.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.launching import pools, quoting
from planner.launching.kubernetes_deployed import Deployed
from planner.launching.kubernetes_scaling import Scaling
from planner.templates import template_directory

if TYPE_CHECKING:
    from planner.launching.launching import Files, Launching

SERVER, LOAD, MAKES = "serve.yaml", "load.yaml", "quantize.yaml"


@dataclass(frozen=True, slots=True)
class Original:
    """A model of another machine that was put in an object store, for the Job to fetch.

    It lies in `directory` of the claim; what is there at `sub_path` is mounted where the plan says that it lies.
    """

    url: str
    mount_path: str
    directory: str
    sub_path: str


def render_kubernetes(launching: Launching) -> Files:
    """The manifests by name. BadInput where the plan cannot be served there."""
    files: Files = {}
    for deployed in servers_of(launching):
        prefix = f"{deployed.part}-" if deployed.part else ""
        files |= {f"{prefix}{name}": rendered(name, deployed) for name in _server_files(deployed)}
    if launching.plan.chosen.pools:
        files |= render_router(launching)
    making = [MAKES, "quantplan.Dockerfile"] if Deployed(launching).makes else []
    return {**{name: rendered(name, Deployed(launching)) for name in making}, **files}


def servers_of(launching: Launching) -> list[Deployed]:
    """The plan's servers, one a pool. BadInput for a server over several nodes of an engine other than vLLM."""
    chosen = launching.plan.chosen
    if chosen.nodes > 1 and chosen.engine != "vllm" and not chosen.pools:
        raise BadInput(
            f"over several nodes only vLLM is rendered; the plan is for {chosen.engine}",
            fix="plan with --engine vllm, or for one node",
        )
    return [Deployed(server, part) for part, server in pools.servers_of(launching).items()]


def render_router(launching: Launching) -> Files:
    """What leads a request from the prompt servers to the decode servers. BadInput where it could not tell them apart.

    Each pool answers behind its Service: vLLM's prompt servers tell where the cache lies; SGLang's are found by name.
    """
    plan, (prompts, tokens) = launching.plan, servers_of(launching)
    router, several = pools.router_of(plan), prompts.plan.chosen.replicas > 1
    if router.bootstrap and several:
        raise BadInput(
            "SGLang's router names the prompt server that holds a cache, and behind a Service several are one",
            fix="plan with --engine vllm, or one prompt server, or render it as shell",
        )
    deployed = Deployed(launching, "router")
    urls = [[f"http://{each.name}.{each.site.namespace}.svc:80"] for each in (prompts, tokens)]
    command = router.command(urls[0], urls[1], launching.port)
    return {"router.yaml": rendered("router.yaml", deployed, router=router, router_command=command)}


def rendered(name: str, deployed: Deployed, original: Original | None = None, **values: Any) -> str:
    """One manifest as text; `values`: what its template needs beside the server."""
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
    about = {"deployed": deployed, "plan": deployed.plan, "site": deployed.site, "scaling": Scaling(deployed)}
    environment.globals |= {**about, "limits": load_yaml("launch.yaml"), "original": original, **values}
    pod = environment.get_template("_pod.yaml.j2").module
    text = environment.get_template(f"{name}.j2").render(pod=pod)
    return "\n".join(line for line in text.splitlines() if line.strip()) + "\n"


def kubernetes_text(value: Any) -> str:
    """A YAML value in JSON's notation; `$(` is doubled, for Kubernetes would expand it."""
    return json.dumps(value, ensure_ascii=True).replace("$(", "$$(")


def _server_files(deployed: Deployed) -> list[str]:
    scaling = ["scale-hpa.yaml", "scale-keda.yaml"] if Scaling(deployed).waiting_metric else []
    return [SERVER, *scaling, *(["kserve.yaml"] if deployed.plan.chosen.nodes == 1 and not deployed.part else [])]
