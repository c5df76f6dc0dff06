"""Where the model of a plan's server lies: what a run made of it, else the directory or repository the plan names."""

from __future__ import annotations

from planner.errors import BadInput
from planner.plan import Plan, Stage
from planner.ports import RunRecord

MAKING = ("convert", "quantize")
CONVERTED = "model-bf16.gguf"


def gguf_name(type_name: str) -> str:
    """The file that a run makes of that llama.cpp type."""
    return f"model-{type_name.lower()}.gguf"


def checkpoint_name(format: str) -> str:
    """The directory that a run makes in that format."""
    return f"model-{format}"


def making_stage(plan: Plan) -> Stage | None:
    """The stage that makes what is served; None where the server reads the original."""
    return next((stage for stage in reversed(plan.stages) if stage.kind in MAKING), None)


def made_name(stage: Stage) -> str:
    """The name, in a run's directory, of what that stage makes."""
    if stage.kind == "convert":
        return CONVERTED
    ggml = stage.parameters.get("ggml")
    return gguf_name(ggml) if ggml else checkpoint_name(stage.parameters["format"])


def named_by(plan: Plan) -> str | None:
    """The directory or hub id that the server reads; None where its model is made first, or the plan names a size."""
    if making_stage(plan):
        return None
    return next((stage.parameters.get("source") for stage in plan.stages if stage.kind == "fetch"), None) or None


def carried_out(run: RunRecord) -> Plan:
    """The run's plan on the last rung it took: what its model was made for."""
    taken = run.rungs[-1].change if run.rungs else None
    return next((run.plan.on_rung(rung) for rung in run.plan.ladder if rung.says == taken), run.plan)


def made_so_far(run: RunRecord) -> str | None:
    """The file or directory the run made, else the original that it fetched; None while it has none."""
    plan = carried_out(run)
    stage = making_stage(plan) or plan.stages[0]
    result = next((step.result for step in run.steps if step.name == stage.name and step.state == "done"), {})
    return result.get("path") or result.get("directory")


def made_by(run: RunRecord) -> str:
    """The same. BadInput while it has none."""
    if where := made_so_far(run):
        return where
    raise BadInput(
        f"the run has no {carried_out(run).chosen.format} model yet",
        where=f"run {run.run_id}",
        fix=f"go on with it: quantplan apply {run.run_id}; or say where the model lies: --model /models/NAME",
    )


def require_same_model(plan: Plan, run: RunRecord) -> None:
    """BadInput unless what the run made is what the plan serves."""
    made, wanted = carried_out(run), (plan.model.name, plan.chosen.format)
    if (found := (made.model.name, made.chosen.format)) != wanted:
        raise BadInput(
            f"the run made {' in '.join(found)}, and the plan serves {' in '.join(wanted)}",
            where=f"run {run.run_id}",
            fix="name a run that made the same (quantplan runs), or leave --run out",
        )
