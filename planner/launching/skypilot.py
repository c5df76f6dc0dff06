"""A plan's server as a SkyPilot task: the planned GPU wherever it is cheapest, on spot where there is some."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from planner.catalog import load_yaml
from planner.errors import BadInput, nearest
from planner.launching import quoting

if TYPE_CHECKING:
    from planner.launching.launching import Files, Launching
    from planner.plan import Plan


def render_skypilot(launching: Launching) -> Files:
    """`task.yaml`, for `sky launch` and `sky serve up`. BadInput for hardware that SkyPilot has no name for."""
    import yaml

    plan, facts = launching.plan, load_yaml("launch.yaml")
    command = launching.command(launching.model, "0.0.0.0")
    resources: dict[str, Any] = {
        **accelerators(plan),
        "ports": launching.port,
        "disk_size": ceil(plan.model.weights_16bit_gib + load_yaml("skypilot.yaml")["disk_gib_beside_the_model"]),
        "any_of": [{"use_spot": True}, {"use_spot": False}],
    }
    document: dict[str, Any] = {
        "name": quoting.slug(plan.model.name),
        "resources": resources,
        "num_nodes": plan.chosen.nodes,
        "envs": {name: quoting.one_line(value) for name, value in launching.environment.items()},
        "setup": f"pip install {quoting.shell(package(plan))}\n",
        "run": f"exec {' '.join(quoting.shell(word) for word in [*command, *spread(plan)])}{ranks(plan)}\n",
        "service": {
            "readiness_probe": {"path": facts["health_path"], "initial_delay_seconds": ready_within_s(plan)},
            "replicas": plan.chosen.replicas,
        },
    }
    head = quoting.one_line(
        f"{plan.model.name} ({plan.chosen.format}) on {plan.hardware.label}: sky serve up task.yaml"
    )
    return {"task.yaml": f"# {head}\n{yaml.safe_dump(document, sort_keys=False)}"}


def accelerators(plan: Plan) -> dict[str, Any]:
    """What one node asks for: any of SkyPilot's names of the GPU, and how many; on a CPU the memory alone."""
    if plan.facts.get("hardware", {}).get("kind") == "cpu":
        return {"memory": f"{ceil(plan.chosen.memory.used_gib)}+"}
    known: dict[str, list[str]] = load_yaml("skypilot.yaml")["accelerators"]
    if plan.hardware.name not in known:
        raise BadInput(
            f"SkyPilot's name of {plan.hardware.name} is not known",
            nearest=nearest(plan.hardware.name, known),
            fix="plan for one of its accelerators (sky show-gpus --all)",
        )
    each = plan.chosen.accelerators // plan.chosen.nodes
    return {"accelerators": dict.fromkeys(known[plan.hardware.name], each)}


def package(plan: Plan) -> str:
    """The engine's Python package at the planned version. BadInput for an engine that has none."""
    packages = {"vllm": "vllm=={}", "sglang": "sglang[all]=={}", "tensorrt-llm": "tensorrt-llm=={}"}
    if plan.chosen.engine not in packages:
        raise BadInput(
            f"{plan.chosen.engine} is not rendered for SkyPilot", fix=f"plan with --engine {' or '.join(packages)}"
        )
    return packages[plan.chosen.engine].format(plan.chosen.engine_version)


def spread(plan: Plan) -> list[str]:
    """BadInput where a copy spans nodes under another engine than vLLM."""
    if plan.chosen.nodes == 1:
        return []
    if plan.chosen.engine != "vllm":
        raise BadInput(f"over several nodes only vLLM is rendered, not {plan.chosen.engine}", fix="--engine vllm")
    return [f"--nnodes={plan.chosen.nodes}"]


def ranks(plan: Plan) -> str:
    """What differs between the nodes of a copy, from the variables that SkyPilot sets on each."""
    if plan.chosen.nodes == 1:
        return ""
    return (
        ' --node-rank="$SKYPILOT_NODE_RANK" --master-addr="$(echo "$SKYPILOT_NODE_IPS" | head -n1)"'
        ' $(test "$SKYPILOT_NODE_RANK" = 0 || echo --headless)'
    )


def ready_within_s(plan: Plan) -> int:
    """How long a start may take: as the plan's own launch stage has it from its prediction."""
    predicted = next((s.parameters.get("ready_within_s") for s in plan.stages if s.kind == "launch"), None)
    return ceil(float(predicted or load_yaml("launch.yaml")["ready_within_s"]))
