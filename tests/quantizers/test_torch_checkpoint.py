"""Quantizing a torch checkpoint: a job for a script of ours, progress told, the directory whole or absent."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from executor.processes import Processes
from executor.quantizers import QUANTIZERS
from executor.quantizers import torch_checkpoint as quantizer
from executor.quantizers.checkpoint import CheckpointWriter
from executor.quantizers.recipe import SCRIPTS, Recipe, Tool, recipe_for, recipes
from executor.quantizers.scripting import said_by
from executor.step import StepContext
from executor.toolchains import Toolchains
from planner.errors import ExecutionFailed
from planner.layouts import layouts
from planner.plan import Stage

SCRIPT = """\
import json, pathlib, sys
job = json.loads(pathlib.Path(sys.argv[1]).read_text())
print("a library's banner")
print(json.dumps({"quantplan": "progress", "message": "quantizing", "fraction": 0.5}))
out = pathlib.Path(job["out"])
(out / "config.json").write_text(json.dumps(job))
(out / "model.safetensors").write_bytes(b"12345678")
if FAIL: sys.exit("it broke")
print(json.dumps({"quantplan": "result", "seconds": 1.5, "peak_bytes": 2048}))
"""


@pytest.fixture
def said() -> list[tuple[str, float | None]]:
    return []


def context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[Any], *, fail: bool = False, **parameters: Any
) -> StepContext:
    """One quantize stage whose tool is a script of the test's, run by this Python."""
    original, workspace = tmp_path / "model", tmp_path / "run"
    original.mkdir()
    workspace.mkdir()
    (original / "config.json").write_text("{}")
    (original / "modeling_own.py").write_text("raise SystemExit('remote code ran')")
    script = tmp_path / "script.py"
    script.write_text(f"FAIL = {fail}\n{SCRIPT}")
    monkeypatch.setattr(quantizer, "SCRIPTS", tmp_path)
    tool = Tool(toolchain="torch_quantize", script="script.py", environment={"WORKERS": "2"})
    monkeypatch.setattr(quantizer, "recipes", lambda: SimpleNamespace(tools={"llm-compressor": tool}))
    chain = SimpleNamespace(python=Path(sys.executable), versions={"llmcompressor": "0.14.0.1"})
    stages = (
        Stage(name="fetch", kind="fetch"),
        Stage(name="calibrate", kind="calibrate"),
        Stage(name="quantize", kind="quantize", parameters={"tool": "llm-compressor", "group_size": 64, **parameters}),
    )
    files = [{"name": path.name, "bytes": 1} for path in original.iterdir()]
    results = {"fetch": {"directory": str(original), "files": files}}
    if not parameters.get("uncalibrated"):
        results["calibrate"] = {"path": "/calibration.jsonl", "max_tokens": 512}
    plan: Any = SimpleNamespace(stages=stages, model=SimpleNamespace(parameters=4))
    return StepContext(
        plan=plan,
        stage=stages[-1],
        workspace=workspace,
        results=results,
        log_path=workspace / "log",
        report=lambda message, fraction: said.append((message, fraction)),
        toolchains=SimpleNamespace(torch_quantize=lambda: chain),  # type: ignore[arg-type]
        processes=Processes(),
    )


def test_a_job_is_written_run_and_its_result_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[Any]
) -> None:
    made = quantizer.quantize_torch(context(tmp_path, monkeypatch, said), "awq-int4")
    directory = tmp_path / "run" / "model-awq-int4"
    assert made["path"] == str(directory)
    assert (made["tool"], made["tool_version"]) == ("llm-compressor", "0.14.0.1")
    assert (made["seconds"], made["peak_bytes"]) == (1.5, 2048)
    assert {Path(record["path"]).name: record["bytes"] for record in made["artifacts"]}["model.safetensors"] == 8
    assert said == [("quantizing", 0.5)]
    job = json.loads((directory / "config.json").read_text())
    assert job["group_size"] == 64
    assert job["calibration"] == {"path": "/calibration.jsonl", "max_tokens": 512}
    assert job["options"]["modifiers"][0][0] == "AWQModifier"
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["log", "model-awq-int4", "original"]


def test_the_tool_sees_a_view_of_the_original_without_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[Any]
) -> None:
    quantizer.quantize_torch(context(tmp_path, monkeypatch, said), "awq-int4")
    assert [path.name for path in (tmp_path / "run" / "original").iterdir()] == ["config.json"]


def test_a_tool_that_fails_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[Any]
) -> None:
    with pytest.raises(ExecutionFailed, match=r"failed with exit status 1(.|\n)*it broke"):
        quantizer.quantize_torch(context(tmp_path, monkeypatch, said, fail=True), "awq-int4")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["log", "original"]


def test_a_recipe_that_calibrates_needs_the_step_that_chooses_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[Any]
) -> None:
    given = context(tmp_path, monkeypatch, said, uncalibrated=True)
    with pytest.raises(ExecutionFailed, match="llm-compressor needs calibration text for awq-int4"):
        quantizer.quantize_torch(given, "awq-int4")


def test_scales_of_the_kv_cache_are_asked_for_only_with_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[Any]
) -> None:
    quantizer.quantize_torch(context(tmp_path, monkeypatch, said, kv_scales=True), "fp8")
    job = json.loads((tmp_path / "run" / "model-fp8" / "config.json").read_text())
    assert job["kv_scales"] is True and job["calibration"]["max_tokens"] == 512


def test_every_layout_of_the_planner_has_a_recipe_and_the_other_way_round() -> None:
    planned = {(layout.format, layout.tool, layout.variant) for layout in layouts()}
    assert planned == {(recipe.format, recipe.tool, recipe.variant) for recipe in recipes().recipes}
    for layout in layouts():
        assert recipe_for(layout.format, layout.tool, layout.variant).calibrates == layout.needs_calibration


def test_every_tool_has_a_script_a_toolchain_and_a_place_in_the_registry() -> None:
    for name, tool in recipes().tools.items():
        assert (SCRIPTS / tool.script).is_file() and callable(getattr(Toolchains, tool.toolchain))
        assert name in QUANTIZERS


def test_what_a_tool_cannot_make_is_named_with_what_it_can() -> None:
    with pytest.raises(ExecutionFailed) as failed:
        recipe_for("nvfp4", "gptqmodel")
    assert str(failed.value).startswith("gptqmodel makes no nvfp4")
    assert isinstance(recipe_for("fp8", "llm-compressor", "block"), Recipe)


def test_other_lines_of_a_log_are_not_ours() -> None:
    assert said_by('{"quantplan": "progress", "message": "m", "fraction": null}')["message"] == "m"
    assert said_by('{"other": 1}') == {} == said_by('{"quantplan": broken')


def test_a_directory_without_weights_is_no_checkpoint(tmp_path: Path) -> None:
    with (
        pytest.raises(ExecutionFailed, match="no safetensors were written for made"),
        CheckpointWriter(tmp_path / "made"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_modelopt_says_that_it_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from planner.hardware import detection

    monkeypatch.setattr(detection, "detect", lambda: SimpleNamespace(accelerator=None))
    with pytest.raises(ExecutionFailed) as failed:
        quantizer.require_gpu("modelopt")
    assert str(failed.value) == (
        "modelopt quantizes on a GPU only, and this machine has none\n"
        "To fix: apply the plan on a machine with a GPU, or plan with another tool: --tool llm-compressor"
    )
