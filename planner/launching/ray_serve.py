"""A plan's server as an application of Ray Serve LLM, for `serve deploy`: also where a copy spans nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.launching import quoting

if TYPE_CHECKING:
    from planner.launching.launching import Files, Launching
    from planner.plan import Plan


def render_ray_serve(launching: Launching) -> Files:
    """`serve.yaml`. BadInput for an engine other than vLLM, which is the one that Ray Serve LLM drives."""
    import yaml

    plan = launching.plan
    if plan.chosen.engine != "vllm":
        raise BadInput(
            f"Ray Serve LLM serves with vLLM; the plan is for {plan.chosen.engine}", fix="plan with --engine vllm"
        )
    scaling = load_yaml("kubernetes.yaml")["autoscaling"]
    copies, most = plan.chosen.replicas, plan.chosen.replicas * scaling["most_copies_factor"]
    config = {
        **accelerators(plan),
        "model_loading_config": {"model_id": plan.model.name, "model_source": launching.model},
        "deployment_config": {"autoscaling_config": {"min_replicas": copies, "max_replicas": most}},
        "engine_kwargs": engine_kwargs(plan.chosen.engine_arguments),
        "runtime_env": {"env_vars": dict(launching.environment)},
    }
    application = {
        "name": quoting.slug(plan.model.name),
        "route_prefix": "/",
        "import_path": "ray.serve.llm:build_openai_app",
        "args": {"llm_configs": [config]},
    }
    http = {"host": "0.0.0.0", "port": launching.port}
    document = {"http_options": http, "applications": [application]}
    head = quoting.one_line(
        f"{plan.model.name} ({plan.chosen.format}) on {plan.hardware.label}: serve deploy serve.yaml"
    )
    return {"serve.yaml": f"# {head}\n{yaml.safe_dump(document, sort_keys=False)}"}


def accelerators(plan: Plan) -> dict[str, Any]:
    """What a replica's workers ask Ray for. Left alone, Ray Serve LLM asks for GPUs, of any type, also for a CPU host.

    A GPU that Ray has no name for is left to whatever GPU there is.
    """
    if plan.facts.get("hardware", {}).get("kind") == "cpu":
        return {"accelerator_config": {"kind": "cpu"}}
    known = load_yaml("ray.yaml")["accelerators"]["names"]
    name = next((name for name in known if f"{plan.hardware.name}-".startswith(f"{name}-")), None)
    return {"accelerator_type": name} if name else {}


def engine_kwargs(arguments: tuple[str, ...]) -> dict[str, Any]:
    """vLLM's command-line arguments as the keyword arguments of its engine; an option without a value is true."""
    import yaml

    words, kwargs = list(arguments), {}
    while words:
        option, _, value = words.pop(0).partition("=")
        if not value and words and not words[0].startswith("--"):
            value = words.pop(0)
        kwargs[option.removeprefix("--").replace("-", "_")] = yaml.safe_load(value) if value else True
    return kwargs
