"""Formats of torch checkpoints: a recipe, run by its tool's script in its toolchain, on a view of the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from executor.quantizers.checkpoint import CheckpointWriter
from executor.quantizers.recipe import SCRIPTS, Recipe, recipe_for, recipes
from executor.quantizers.scripting import Script, run_script
from executor.step import Result, StepContext
from executor.steps.convert import view_without_code
from executor.steps.earlier import result_of_kind
from planner.errors import BadInput, ExecutionFailed
from planner.launching.locating import checkpoint_name


def quantize_torch(context: StepContext, format: str) -> Result:
    """Write `model-FORMAT/`: {path, bytes, seconds, peak_bytes, tool, tool_version, outliers, artifacts}.

    The original is never written to. What the tool says of its work is not taken for proof: the next step reads the
    files. ExecutionFailed when the tool fails, or needs a GPU where there is none.
    """
    parameters = context.stage.parameters
    recipe = recipe_for(format, str(parameters["tool"]), str(parameters.get("variant") or ""))
    tool = recipes().tools[recipe.tool]
    if tool.needs_gpu:
        require_gpu(recipe.tool)
    source = original_of(context)
    chain = getattr(context.toolchains, tool.toolchain)()
    with CheckpointWriter(context.workspace / checkpoint_name(format), needs_bytes=needed_bytes(context)) as writer:
        job = job_of(recipe, source, writer.partial, parameters, calibration_of(context, recipe))
        said = run_script(
            Script(chain.python, SCRIPTS / tool.script, tool.environment),
            job,
            workspace=context.workspace,
            log_path=context.log_path,
            processes=context.processes,
            report=context.report,
        )
    records = writer.records()
    return {
        "path": str(writer.path),
        "bytes": sum(record["bytes"] for record in records),
        "tool": recipe.tool,
        "tool_version": chain.versions.get(PACKAGES.get(recipe.tool, recipe.tool), "unknown"),
        **said,
        "artifacts": records,
    }


PACKAGES = {"llm-compressor": "llmcompressor", "modelopt": "nvidia-modelopt"}
BYTES_PER_PARAMETER = 2  # no format is larger than the 16-bit original


def job_of(
    recipe: Recipe, source: Path, target: Path, parameters: dict[str, Any], calibration: dict[str, Any] | None
) -> dict[str, Any]:
    """What the script is asked to do."""
    job: dict[str, Any] = {"model": str(source), "out": str(target), "options": recipe.options}
    if recipe.groups:
        job["group_size"] = parameters.get("group_size")
    if calibration:
        job["calibration"] = calibration
        job["kv_scales"] = bool(parameters.get("kv_scales"))
    return job


def original_of(context: StepContext) -> Path:
    """The original's data files without any code beside them. BadInput for a GGUF file: these tools cannot read it."""
    fetched = result_of_kind(context, "fetch") or {}
    if "path" in fetched:
        raise BadInput("it is a GGUF file", where=fetched["path"], fix="plan from the original checkpoint")
    names = [entry["name"] for entry in fetched["files"]]
    return view_without_code(Path(fetched["directory"]), names, context.workspace / "original")


def calibration_of(context: StepContext, recipe: Recipe) -> dict[str, Any] | None:
    """The samples that an earlier step chose. ExecutionFailed when the recipe needs some and no step chose any."""
    if not recipe.calibrates and not context.stage.parameters.get("kv_scales"):
        return None
    made = result_of_kind(context, "calibrate")
    if made is None:
        raise ExecutionFailed(
            f"{recipe.tool} needs calibration text for {recipe.format}, and the plan has no stage that chooses it",
            fix="plan again with this version of quantplan, and apply the new plan",
        )
    return {"path": made["path"], "max_tokens": made["max_tokens"]}


def needed_bytes(context: StepContext) -> int:
    return BYTES_PER_PARAMETER * context.plan.model.parameters


def require_gpu(tool: str) -> None:
    """ExecutionFailed where no NVIDIA GPU is found."""
    from planner.hardware.detection import detect

    if detect().accelerator is None:
        raise ExecutionFailed(
            f"{tool} quantizes on a GPU only, and this machine has none",
            fix="apply the plan on a machine with a GPU, or plan with another tool: --tool llm-compressor",
        )
