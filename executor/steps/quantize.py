"""Step `quantize`: the chosen format, made by the planned tool."""

from __future__ import annotations

from executor import quantizers
from executor.step import Result, StepContext
from executor.steps.earlier import parameter
from planner.errors import ExecutionFailed


def quantize(context: StepContext) -> Result:
    """Hand over to the quantizer that the stage names. ExecutionFailed when there is none of that name."""
    tool = context.stage.parameters.get("tool") or "llama.cpp"
    if tool not in quantizers.QUANTIZERS:
        raise ExecutionFailed(f"no quantizer {tool!r}", nearest=quantizers.QUANTIZERS, fix="plan again, and name one of these with --tool if you like")
    return quantizers.QUANTIZERS[tool](context, str(parameter(context, "format")))
