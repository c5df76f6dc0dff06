"""What earlier steps of the same run left for a later one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from executor.step import Result, StepContext
from planner.errors import ExecutionFailed
from planner.plan import Plan, Stage, StageKind

MAKES_A_MODEL = ("quantize", "convert", "fetch")
FIX = "plan again with this version of quantplan, and apply the new plan"


def stage_of(plan: Plan, kind: StageKind) -> Stage | None:
    """The plan's last stage of a kind; None where it has none."""
    return next((stage for stage in reversed(plan.stages) if stage.kind == kind), None)


def result_of(context: StepContext, stage_name: str) -> Result:
    """What an earlier stage returned. ExecutionFailed when no such stage has run."""
    if stage_name not in context.results:
        raise ExecutionFailed(
            f"stage {context.stage.name!r} needs the result of {stage_name!r}, which has not run",
            nearest=sorted(context.results),
            fix=FIX,
        )
    return context.results[stage_name]


def result_of_kind(context: StepContext, kind: StageKind) -> Result | None:
    """What the last stage of that kind returned; None where the plan has none or it has not run."""
    stage = stage_of(context.plan, kind)
    return context.results.get(stage.name) if stage else None


def made_by(context: StepContext, stage_name: str) -> Path:
    """The model file that an earlier stage made or found. ExecutionFailed when it made none."""
    path = result_of(context, stage_name).get("path")
    if path is None:
        raise ExecutionFailed(f"stage {stage_name!r} made no model file", where=context.stage.name, fix=FIX)
    return Path(path)


def model_to_serve(context: StepContext) -> Path:
    """What the run made last: a quantized or converted model, else the GGUF file or the directory that was fetched."""
    making = [stage.name for stage in reversed(context.plan.stages) if stage.kind in MAKES_A_MODEL]
    made = [context.results.get(name, {}) for name in making]
    for result in made:
        if "path" in result:
            return Path(result["path"])
    if made and "directory" in made[-1]:
        return Path(made[-1]["directory"])
    raise ExecutionFailed("no stage of the plan made a model file to serve", where=context.stage.name, fix=FIX)


def parameter(context: StepContext, name: str) -> Any:
    """A parameter that the stage must have. ExecutionFailed when the plan leaves it out."""
    if name not in context.stage.parameters:
        raise ExecutionFailed(f"stage {context.stage.name!r} has no parameter {name!r}", fix=FIX)
    return context.stage.parameters[name]
