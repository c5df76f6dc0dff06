"""What Ray Serve and SkyPilot take, read back by themselves where they are installed."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.launching.ray_serve import engine_kwargs
from planner.launching.rendering import render
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request

PUBLISHED = Path(__file__).with_name("skypilot_accelerators.txt")


@cache
def plan_for(hardware: str, engine: str = "vllm") -> Plan:
    formats = {"llama.cpp": "gguf-q4_k_m"}
    asked = {"model": "llama-3.1-8b", "hardware": hardware, "engine": engine, "format": formats.get(engine, "bf16")}
    return make_plan(Request.model_validate(asked))


def over_two_nodes(plan: Plan) -> Plan:
    spread = {"nodes": 2, "tensor_parallel": 8, "pipeline_parallel": 2}
    return plan.model_copy(update={"chosen": plan.chosen.model_copy(update=spread)})


def rendered(plan: Plan, kind: str) -> dict[str, Any]:
    ((_, text),) = render(plan, kind, model="/models/llama").items()  # type: ignore[arg-type]
    found: dict[str, Any] = yaml.safe_load(text)
    return found


# Ray Serve


def test_arguments_become_keyword_arguments() -> None:
    words = ("--max-model-len", "1300", "--enforce-eager", "--gpu-memory-utilization=0.92", "--kv-cache-dtype", "fp8")
    assert engine_kwargs(words) == {
        "max_model_len": 1300,
        "enforce_eager": True,
        "gpu_memory_utilization": 0.92,
        "kv_cache_dtype": "fp8",
    }


def test_ray_serve_gets_the_planned_engine() -> None:
    plan = plan_for("2xL4")
    (application,) = rendered(plan, "ray-serve")["applications"]
    (config,) = application["args"]["llm_configs"]
    assert config["model_loading_config"] == {"model_id": "llama-3.1-8b", "model_source": "/models/llama"}
    assert config["engine_kwargs"].get("tensor_parallel_size", 1) == plan.chosen.tensor_parallel
    assert config["engine_kwargs"]["max_model_len"] >= plan.request.workload.served_context_tokens
    assert config["deployment_config"]["autoscaling_config"]["min_replicas"] == plan.chosen.replicas


@pytest.mark.parametrize(
    ("hardware", "asked"),
    [
        ("2xL40S", {"accelerator_type": "L40S"}),
        ("1xA100-80GB", {"accelerator_type": "A100"}),
        ("1xRTX-4090", {}),
        ("cpu:64GB", {"accelerator_config": {"kind": "cpu"}}),
    ],
)
def test_ray_serve_is_asked_for_the_planned_hardware(hardware: str, asked: dict[str, Any]) -> None:
    (application,) = rendered(plan_for(hardware), "ray-serve")["applications"]
    (config,) = application["args"]["llm_configs"]
    assert {name: value for name, value in config.items() if name.startswith("accelerator")} == asked


def test_ray_knows_its_accelerators_by_these_names() -> None:
    accelerators = pytest.importorskip("ray.util.accelerators.accelerators", reason="pip install 'quantplan[ray]'")
    known = {getattr(accelerators, name) for name in dir(accelerators) if name.isupper()}
    assert set(load_yaml("ray.yaml")["accelerators"]["names"]) <= known


def test_ray_serve_reads_it() -> None:
    schema = pytest.importorskip("ray.serve.schema", reason="pip install 'quantplan[ray]'")
    read = schema.ServeDeploySchema.model_validate(rendered(plan_for("2xL4"), "ray-serve"))
    assert read.applications[0].import_path == "ray.serve.llm:build_openai_app"


def test_ray_serve_takes_vllm_only() -> None:
    with pytest.raises(BadInput, match=r"Ray Serve LLM serves with vLLM; the plan is for llama\.cpp"):
        rendered(plan_for("1xL4", "llama.cpp"), "ray-serve")


# SkyPilot


def test_skypilot_is_asked_for_the_planned_gpu_on_spot_or_not() -> None:
    resources = rendered(plan_for("1xA100-80GB"), "skypilot")["resources"]
    assert resources["accelerators"] == {"A100-80GB": 1, "A100-80GB-SXM": 1}
    assert resources["any_of"] == [{"use_spot": True}, {"use_spot": False}]


def test_skypilot_waits_for_a_start_as_long_as_the_plan_predicts() -> None:
    plan = plan_for("1xL4")
    launch = next(stage for stage in plan.stages if stage.kind == "launch")
    probe = rendered(plan, "skypilot")["service"]["readiness_probe"]
    assert 0 <= probe["initial_delay_seconds"] - launch.parameters["ready_within_s"] < 1


def test_skypilot_gets_a_rank_for_each_node_of_a_copy() -> None:
    task = rendered(over_two_nodes(plan_for("1xA100-80GB")), "skypilot")
    assert task["num_nodes"] == 2 and task["resources"]["accelerators"]["A100-80GB"] == 8
    assert '--nnodes=2 --node-rank="$SKYPILOT_NODE_RANK"' in task["run"]


def test_a_gpu_that_skypilot_has_no_name_for_is_refused() -> None:
    with pytest.raises(BadInput, match=r"SkyPilot's name of MI300X is not known"):
        rendered(plan_for("1xMI300X"), "skypilot")


@pytest.mark.parametrize("hardware", ["1xA100-80GB", "1xL4", "1xH100-80GB", "1xRTX-4090"])
def test_skypilot_reads_it(hardware: str, tmp_path: Path) -> None:
    sky = pytest.importorskip("sky", reason="pip install skypilot (an environment of its own)")
    plan, path = plan_for(hardware), tmp_path / "task.yaml"
    path.write_text(render(plan, "skypilot", model="/models/llama")["task.yaml"])
    task = sky.Task.from_yaml(str(path))
    assert {resource.use_spot for resource in task.resources} == {True, False}
    counts = {count for resource in task.resources for count in (resource.accelerators or {}).values()}
    assert counts == {plan.chosen.tensor_parallel}
    assert task.service is not None


def test_every_name_that_a_task_may_carry_is_one_of_skypilots() -> None:
    """Those that SkyPilot publishes: skypilot-org/skypilot-catalog, catalogs/v8/common/accelerators.csv@001ca549."""
    assert names_of_tasks() <= set(PUBLISHED.read_text(encoding="utf-8").split())


def test_skypilot_itself_knows_them(tmp_path: Path) -> None:
    pytest.importorskip("sky", reason="pip install skypilot (an environment of its own)")
    names = tmp_path / ".sky" / "catalogs" / "v8" / "common" / "accelerators.csv"
    names.parent.mkdir(parents=True)
    rows = (f"{name},['AWS']" for name in PUBLISHED.read_text(encoding="utf-8").split())
    names.write_text("\n".join(["AcceleratorName,Clouds", *rows, ""]), encoding="utf-8")
    asked = sorted(names_of_tasks())
    script = (
        "import sys; from sky.utils.accelerator_registry import canonicalize_accelerator_name as name_of\n"
        "print(*(name_of(name.lower(), None) for name in sys.argv[1:]))"
    )
    environment = {**os.environ, "SKY_RUNTIME_DIR": str(tmp_path)}
    command = [sys.executable, "-c", script, *asked]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == asked


def names_of_tasks() -> set[str]:
    return {name for names in load_yaml("skypilot.yaml")["accelerators"].values() for name in names}
