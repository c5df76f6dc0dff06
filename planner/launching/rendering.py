"""Renders a plan's server as files for another machine. Nothing is started, and no executor is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.launching import quoting
from planner.launching.serving import Serving, server_arguments
from planner.launching.site import NOWHERE, Site
from planner.plan import Plan
from planner.templates import template_directory

Kind = Literal["shell", "compose", "systemd", "modelfile", "kubernetes", "ray-serve", "skypilot"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Files = dict[str, str]
IN_CONTAINER = "/model"
TRTLLM_OPTIONS = "trtllm-options.yaml"
EVERYWHERE = "0.0.0.0"  # inside a container; Compose publishes it on the host's loopback only


@dataclass(frozen=True, slots=True)
class Launching:
    """A plan's server elsewhere: where the model lies there, and on which port it answers."""

    plan: Plan
    model: str
    port: int
    site: Site = NOWHERE

    @property
    def engine(self) -> dict[str, Any]:
        """The engine's entry in `planner/catalog/launch.yaml`."""
        entry: dict[str, Any] = load_yaml("launch.yaml")["engines"][self.plan.chosen.engine]
        return entry

    @property
    def hardware_kind(self) -> str:
        return str(self.plan.facts.get("hardware", {}).get("kind", "gpu"))

    @property
    def environment(self) -> dict[str, str]:
        offline = load_yaml("launch.yaml")["environment"] if Path(self.model).is_absolute() else {}
        return {**offline, **self.engine["environment"], **self.plan.chosen.engine_environment}

    @property
    def options(self) -> Files:
        """TensorRT-LLM takes the type of its cache from a file of options only."""
        if self.plan.chosen.engine != "tensorrt-llm" or self.plan.chosen.kv_cache == "16-bit":
            return {}
        return {TRTLLM_OPTIONS: f"kv_cache_config:\n  dtype: {self.plan.chosen.kv_cache}\n"}

    def command(self, model: str, host: str, program: str = "program") -> list[str]:
        """The whole command line, with the model at `model`."""
        extra = [word for name in self.options for word in ("--extra_llm_api_options", f"./{name}")]
        arguments = (*self.plan.chosen.engine_arguments, *extra)
        serving = Serving(model, self.plan.model.name, arguments, self.port, host)
        return [*self.engine.get(program, self.engine["program"]), *server_arguments(self.plan.chosen.engine, serving)]

    @property
    def image(self) -> str | None:
        """The published image for this hardware; None where one has to be built."""
        found: str | None = self.engine.get("image", {}).get(self.hardware_kind)
        return found.format(version=self.plan.chosen.engine_version) if found else None

    @property
    def mounted(self) -> str:
        """Where the model lies in the container: a file keeps its name, a hub id stays what it is."""
        path = Path(self.model)
        if not path.is_absolute():
            return self.model
        return f"{IN_CONTAINER}/{path.name}" if path.suffix == ".gguf" else IN_CONTAINER


def render(plan: Plan, kind: Kind, *, model: str | None = None, port: int | None = None, site: Site = NOWHERE) -> Files:
    """The files by name. BadInput when this kind of file cannot hold this plan."""
    where = model or plan.model.path or plan.model.name
    launching = Launching(plan, where, port or load_yaml("launch.yaml")["port"], site)
    return {**RENDERERS[kind](launching), **launching.options}


def _shell(launching: Launching) -> Files:
    from planner.launching import apart

    if launching.plan.chosen.pools:
        return apart.pool_scripts(launching)
    more = apart.node_words(launching.plan)
    command = launching.command(launching.model, "127.0.0.1")
    return {"start.sh": template("start.sh.j2", launching, command=command, **more)}


def _systemd(launching: Launching) -> Files:
    _require_one_server(launching.plan, "a unit")
    name = f"quantplan-{quoting.slug(launching.plan.model.name)}.service"
    command = launching.command(launching.model, "127.0.0.1")
    return {name: template("unit.service.j2", launching, command=["/usr/bin/env", *command])}


def _compose(launching: Launching) -> Files:
    if launching.plan.chosen.pools:
        from planner.launching import apart

        return apart.pool_services(launching)
    _require_one_server(launching.plan, "Compose")
    command = launching.command(launching.mounted, EVERYWHERE, "container_program")
    files = {"compose.yaml": template("compose.yaml.j2", launching, command=command)}
    if launching.image is None:
        files["Dockerfile"] = template("Dockerfile.j2", launching, packages=_packages(launching))
    return files


def _require_one_server(plan: Plan, what: str) -> None:
    """BadInput where a copy is more than one server on one machine."""
    _require_no_pools(plan, what)
    if plan.chosen.nodes > 1:
        raise BadInput(
            f"{what} starts a server on one machine; a copy of this plan stands on {plan.chosen.nodes}",
            fix="render it as shell (a script for each node) or for kubernetes",
        )


def _require_no_pools(plan: Plan, what: str) -> None:
    if plan.chosen.pools:
        raise BadInput(
            f"{what} starts servers that are all alike; the plan has prompt and decode servers behind a router",
            fix="render it as shell or compose, or for kubernetes",
        )


def _packages(launching: Launching) -> list[str]:
    if "packages" not in launching.engine:
        raise BadInput(
            f"no container image of {launching.plan.chosen.engine} is published for a {launching.hardware_kind}",
            fix="render it as shell or systemd",
        )
    return [package.format(version=launching.plan.chosen.engine_version) for package in launching.engine["packages"]]


def _modelfile(launching: Launching) -> Files:
    if not launching.plan.chosen.format.startswith("gguf-"):
        raise BadInput(
            f"Ollama serves GGUF files; the plan's format is {launching.plan.chosen.format}",
            fix="plan with --format gguf-q4_k_m, or render it as shell, compose or systemd",
        )
    return {"Modelfile": template("Modelfile.j2", launching, command=[])}


def template(name: str, launching: Launching, **more: Any) -> str:
    """A template of `templates/launch`, filled in: each value goes through the filter of its syntax."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template_directory() / "launch"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # these are no pages: each value goes through the filter of its syntax
    )
    environment.filters |= FILTERS
    limits: Mapping[str, Any] = load_yaml("launch.yaml")
    values = {"launching": launching, "plan": launching.plan, "limits": limits, "by_line": quoting.by_line}
    return environment.get_template(name).render(**values, **more)


FILTERS: dict[str, Callable[..., str]] = {
    "one_line": quoting.one_line,
    "shell": quoting.shell,
    "yaml": quoting.yaml,
    "json": quoting.json_text,
    "systemd": quoting.systemd,
    "modelfile": quoting.modelfile,
    "slug": quoting.slug,
}


def _kubernetes(launching: Launching) -> Files:
    from planner.launching.kubernetes import render_kubernetes

    return render_kubernetes(launching)


def _ray_serve(launching: Launching) -> Files:
    _require_no_pools(launching.plan, "Ray Serve")
    from planner.launching.ray_serve import render_ray_serve

    return render_ray_serve(launching)


def _skypilot(launching: Launching) -> Files:
    _require_no_pools(launching.plan, "a SkyPilot task")
    from planner.launching.skypilot import render_skypilot

    return render_skypilot(launching)


RENDERERS: dict[Kind, Callable[[Launching], Files]] = {
    "kubernetes": _kubernetes,
    "ray-serve": _ray_serve,
    "skypilot": _skypilot,
    "shell": _shell,
    "compose": _compose,
    "systemd": _systemd,
    "modelfile": _modelfile,
}
