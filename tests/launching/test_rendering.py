"""Rendered files: right for every engine, valid by their own tools, and safe with hostile names."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

from planner.errors import BadInput
from planner.launching import quoting
from planner.launching.rendering import KINDS, render
from planner.launching.writing import write_files
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request

HOSTILE = 'x\'; touch /tmp/owned; $(reboot) `id` "%n" ${HOME}\nExecStartPre=/bin/sh -c owned\n# é --flag'
PLANS = {
    "vllm": {"model": "llama-3.1-70b", "hardware": "2xH100-80GB", "kv_cache": "fp8"},
    "sglang": {"model": "llama-3.1-8b", "hardware": "1xH100-80GB", "engine": "sglang", "format": "bf16"},
    "tensorrt-llm": {"model": "llama-3.1-8b", "hardware": "1xH100-80GB", "engine": "tensorrt-llm", "kv_cache": "fp8"},
    "transformers": {"model": "llama-3.1-8b", "hardware": "1xL40S", "format": "nf4", "engine": "transformers"},
    "llama.cpp": {"model": "llama-3.1-8b", "hardware": "1xL40S", "format": "gguf-q4_k_m"},
}


@cache
def plan_for(engine: str) -> Plan:
    plan = make_plan(Request.model_validate(PLANS[engine]))
    assert plan.chosen.engine == engine
    return plan


def renamed(plan: Plan, name: str) -> Plan:
    return plan.model_copy(update={"model": plan.model.model_copy(update={"name": name})})


@pytest.mark.parametrize("engine", PLANS)
def test_the_script_starts_exactly_the_planned_command(engine: str) -> None:
    plan = plan_for(engine)
    script = render(plan, "shell", model="/models/the model")["start.sh"]
    words = shlex.split(script[script.index("\nexec ") + 1 :], comments=False)
    words = [word for word in words if word != "\n"]
    assert "/models/the model" in [word.removeprefix("--model-path=") for word in words]
    assert [word for word in plan.chosen.engine_arguments if word not in words] == []
    assert words[-4:] == ["--host", "127.0.0.1", "--port", "8000"]


@pytest.mark.parametrize("engine", PLANS)
def test_a_hostile_name_stays_one_word_of_the_script(engine: str) -> None:
    """Run with `exec` replaced by printf: the shell itself says what it would have started."""
    script = render(renamed(plan_for(engine), HOSTILE), "shell", model=f"/models/{HOSTILE}")["start.sh"]
    shown = script.replace("\nexec ", "\nprintf '%s\\0' ")
    ran = subprocess.run(["sh", "-c", shown], capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"})
    words = ran.stdout.decode().split("\0")[:-1]
    assert f"/models/{HOSTILE}" in [word.removeprefix("--model-path=") for word in words]
    assert not Path("/tmp/owned").exists()
    if engine in ("vllm", "sglang"):
        assert f"--served-model-name={HOSTILE}" in words


@pytest.mark.parametrize("engine", PLANS)
def test_scripts_are_valid(engine: str, tmp_path: Path) -> None:
    script = render(renamed(plan_for(engine), HOSTILE), "shell")["start.sh"]
    [path] = list(write_files({"start.sh": script}, tmp_path))
    assert path.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", path], check=True)
    if shellcheck := shutil.which("shellcheck"):
        subprocess.run([shellcheck, path], check=True)


@pytest.mark.parametrize("engine", PLANS)
def test_compose_files_have_the_shape_that_compose_reads(engine: str) -> None:
    plan = renamed(plan_for(engine), HOSTILE)
    files = render(plan, "compose", model=f"/models/{HOSTILE}")
    content = yaml.safe_load(files["compose.yaml"])
    assert set(content) == {"name", "services"} and set(content["services"]) == {"server"}
    server = content["services"]["server"]
    assert ("image" in server) != ("build" in server)
    assert ("Dockerfile" in files) == ("build" in server)
    assert all(isinstance(word, str) for word in server["command"])
    assert server["volumes"][0]["read_only"] is True
    assert server["volumes"][0]["source"].replace("$$", "$") == f"/models/{HOSTILE}"
    assert server["deploy"]["resources"]["reservations"]["devices"][0]["count"] == plan.chosen.tensor_parallel
    assert server["ports"] == ["127.0.0.1:8000:8000"]
    assert quoting.slug(content["name"]) == content["name"]


def test_docker_compose_itself_accepts_them(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    version = subprocess.run([docker, "compose", "version"], capture_output=True) if docker else None
    if version is None or version.returncode:
        pytest.skip("docker compose is not installed")
    write_files(render(renamed(plan_for("vllm"), HOSTILE), "compose", model="/models/x"), tmp_path)
    ran = subprocess.run(
        [docker, "compose", "config", "--format", "json"], cwd=tmp_path, capture_output=True, check=True
    )
    assert f"--served-model-name={HOSTILE}" in json.loads(ran.stdout)["services"]["server"]["command"]


@pytest.mark.parametrize("engine", PLANS)
def test_units_hold_one_command_and_nothing_more(engine: str) -> None:
    [(name, unit)] = [
        (n, t) for n, t in render(renamed(plan_for(engine), HOSTILE), "systemd").items() if n.endswith(".service")
    ]
    lines = unit.replace("\\\n", " ").splitlines()
    assert [line for line in lines if line.startswith("ExecStart")] == [next(li for li in lines if "ExecStart=" in li)]
    assert name.startswith("quantplan-x-touch")
    for section in ("[Unit]", "[Service]", "[Install]"):
        assert lines.count(section) == 1


def test_systemd_itself_accepts_the_unit(tmp_path: Path) -> None:
    """Checked with a program that is there, so that only the file is judged."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    files = render(renamed(plan_for("vllm"), HOSTILE), "systemd", model="/models/x")
    [path] = write_files({"quantplan-test.service": files.popitem()[1].replace("User=quantplan\n", "")}, tmp_path)
    ran = subprocess.run([analyze, "verify", "--man=no", path], capture_output=True, text=True)
    about_ours = [line for line in ran.stderr.splitlines() if "quantplan-test" in line]
    assert about_ours == []


def test_ollama_takes_gguf_alone() -> None:
    text = render(plan_for("llama.cpp"), "modelfile", model="/models/a\nSYSTEM owned.gguf")["Modelfile"]
    assert [line.split()[0] for line in text.splitlines() if not line.startswith("#")] == [
        "FROM",
        "PARAMETER",
        "PARAMETER",
    ]
    assert "PARAMETER num_ctx 1300" in text
    with pytest.raises(BadInput) as refused:
        render(plan_for("vllm"), "modelfile")
    assert str(refused.value) == (
        "Ollama serves GGUF files; the plan's format is fp8\n"
        "To fix: plan with --format gguf-q4_k_m, or render it as shell, compose or systemd"
    )


def test_tensorrt_llms_cache_type_goes_into_its_file_of_options() -> None:
    files = render(plan_for("tensorrt-llm"), "shell")
    assert yaml.safe_load(files["trtllm-options.yaml"]) == {"kv_cache_config": {"dtype": "fp8"}}
    assert "--extra_llm_api_options ./trtllm-options.yaml" in files["start.sh"]


def test_quantization_is_never_forced_on_vllm() -> None:
    """B.pitfall.2, overtaken: vLLM reads the method from the checkpoint; forcing `awq` picks the slower kernel."""
    plan = make_plan(Request(model="llama-3.1-70b", hardware="1xA100-80GB"))
    assert (plan.chosen.engine, plan.chosen.format) == ("vllm", "awq-int4")
    assert "--quantization" not in plan.chosen.engine_arguments


def test_there_is_a_renderer_for_each_kind() -> None:
    assert KINDS == ("shell", "compose", "systemd", "modelfile", "kubernetes", "ray-serve", "skypilot")


@pytest.mark.parametrize("kind", ["shell", "compose", "systemd"])
def test_copies_that_share_the_load_are_told_of(kind: str) -> None:
    plan = plan_for("vllm")
    copies = plan.model_copy(update={"chosen": plan.chosen.model_copy(update={"replicas": 3})})
    said = "The plan is for 3 copies"
    assert said in next(iter(render(copies, kind, model="/m").values()))
    assert said not in next(iter(render(plan_for("sglang"), kind, model="/m").values()))
