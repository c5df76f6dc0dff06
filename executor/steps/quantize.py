"""Step `quantize`: the chosen format, made by the planned tool."""

from __future__ import annotations

from executor import quantizers
from executor.step import Result, StepContext
from executor.steps.earlier import parameter
from planner.errors import ExecutionFailed


def quantize(context: StepContext) -> Result:
    """Hand over to the quantizer that the stage names. ExecutionFailed when there is none of that name."""
    tool = context.stage.parameters.get("tool") or "llama.cpp"
    known = quantizers.QUANTIZERS
    if tool not in known:
        fix = "plan again, and name one of these with --tool if you like"
        raise ExecutionFailed(f"no quantizer {tool!r}", nearest=known, fix=fix)
    return known[tool](context, str(parameter(context, "format")))
