"""A plan's server elsewhere, and the templates of its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.catalog import load_yaml
from planner.launching import quoting
from planner.launching.serving import Serving, server_arguments
from planner.launching.site import NOWHERE, Site
from planner.plan import Plan
from planner.templates import template_directory

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
