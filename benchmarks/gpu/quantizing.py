"""One checkpoint of random weights, quantized by the executor's own script: memory and time beside predictions."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.dummies import config_of, write_dummy
from benchmarks.gpu.rows import Quantizing, rows
from executor.evaluate.text import prompt_text
from executor.processes import Processes
from executor.quantizers.recipe import SCRIPTS, recipe_for, recipes
from executor.quantizers.scripting import Script, run_script
from executor.quantizers.torch_checkpoint import job_of
from planner.hardware.hardware import Hardware
from planner.models.families import shape_from_config
from planner.quantizing.needing import needs_of
from planner.quantizing.quantities import Calibration
from planner.schemes import scheme
from planner.units import GIB

MAKE = Path(__file__).with_name("make_checkpoint.py")
SECONDS_A_MINUTE = 60


def quantize(asked: Quantizing, python: Path, hardware: Hardware, work: Path, within_s: float) -> dict[str, Any]:
    """The row. ExecutionFailed when the tool fails, or making the checkpoint and quantizing it take longer."""
    deadline = time.monotonic() + within_s
    source, target = work / f"{asked.model}-{asked.layers or 'all'}", work / "quantized"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    recipe = recipe_for(asked.format, asked.tool)
    tool = recipes().tools[recipe.tool]
    parameters = {"group_size": scheme(asked.format).group_size}
    with Processes() as processes:
        if not (source / "model.safetensors.index.json").exists() and not (source / "model.safetensors").exists():
            write_dummy(source, asked.model, layers=asked.layers)
            processes.run_tool([python, MAKE, source], work / "make.log", timeout_s=within_s)
        said = run_script(
            Script(python, SCRIPTS / tool.script, tool.environment),
            job_of(recipe, source, target, parameters, calibration(work) if recipe.calibrates else None),
            workspace=work,
            log_path=work / f"{asked.tool}-{asked.format}.log",
            processes=processes,
            report=lambda message, fraction: None,
            timeout_s=max(deadline - time.monotonic(), 1.0),
        )
    written = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    device = said.get("peak_device_bytes")
    return {
        **predicted(asked, hardware, calibrates=recipe.calibrates),
        "measured_host_gib": said["peak_bytes"] / GIB,
        "measured_gpu_gib": device / GIB if device is not None else None,
        "measured_minutes": said["seconds"] / SECONDS_A_MINUTE,
        "written_gib": written / GIB,
        "outcome": "done",
    }


def calibration(work: Path) -> dict[str, Any]:
    """Samples of the shipped text: what calibrating costs does not depend on what it says."""
    count, tokens = rows().calibration["samples"], rows().calibration["max_tokens"]
    words = prompt_text(None).read_text(encoding="utf-8").split()
    lines = [json.dumps({"text": " ".join(words[(n * tokens) % len(words) :][:tokens])}) for n in range(count)]
    path = work / "calibration.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return {"path": str(path), "max_tokens": tokens}


def predicted(asked: Quantizing, hardware: Hardware, *, calibrates: bool) -> dict[str, Any]:
    shape = shape_from_config(config_of(asked.model, asked.layers))
    text = Calibration(rows().calibration["samples"], rows().calibration["max_tokens"]) if calibrates else None
    needs = needs_of(shape, scheme(asked.format), asked.tool, hardware, calibration=text)
    told = {"host_gib": needs.host_gib, "gpu_gib": needs.gpu_gib, "minutes": needs.minutes}
    return {
        f"{end}_{name}": value
        for name, prediction in told.items()
        for end, value in (("predicted", prediction.value), ("low", prediction.low), ("high", prediction.high))
    }
