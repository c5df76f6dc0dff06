"""Renders a plan's server as files for another machine. Nothing is started, and no executor is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.launching import quoting
from planner.launching.apart import node_words, pool_scripts, pool_services
from planner.launching.kubernetes import render_kubernetes
from planner.launching.launching import EVERYWHERE, Files, Launching, template
from planner.launching.ray_serve import render_ray_serve
from planner.launching.site import NOWHERE, Site
from planner.launching.skypilot import render_skypilot
from planner.plan import Plan

Kind = Literal["shell", "compose", "systemd", "modelfile", "kubernetes", "ray-serve", "skypilot"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def render(plan: Plan, kind: Kind, *, model: str | None = None, port: int | None = None, site: Site = NOWHERE) -> Files:
    """The files by name. BadInput when this kind of file cannot hold this plan."""
    where = model or plan.model.path or plan.model.name
    launching = Launching(plan, where, port or load_yaml("launch.yaml")["port"], site)
    return {**RENDERERS[kind](launching), **launching.options}


def _shell(launching: Launching) -> Files:
    if launching.plan.chosen.pools:
        return pool_scripts(launching)
    more = node_words(launching.plan)
    command = launching.command(launching.model, "127.0.0.1")
    return {"start.sh": template("start.sh.j2", launching, command=command, **more)}


def _systemd(launching: Launching) -> Files:
    _require_one_server(launching.plan, "a unit")
    name = f"quantplan-{quoting.slug(launching.plan.model.name)}.service"
    command = launching.command(launching.model, "127.0.0.1")
    return {name: template("unit.service.j2", launching, command=["/usr/bin/env", *command])}


def _compose(launching: Launching) -> Files:
    if launching.plan.chosen.pools:
        return pool_services(launching)
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


def _ray_serve(launching: Launching) -> Files:
    _require_no_pools(launching.plan, "Ray Serve")
    return render_ray_serve(launching)


def _skypilot(launching: Launching) -> Files:
    _require_no_pools(launching.plan, "a SkyPilot task")
    return render_skypilot(launching)


RENDERERS: dict[Kind, Callable[[Launching], Files]] = {
    "kubernetes": render_kubernetes,
    "ray-serve": _ray_serve,
    "skypilot": _skypilot,
    "shell": _shell,
    "compose": _compose,
    "systemd": _systemd,
    "modelfile": _modelfile,
}
