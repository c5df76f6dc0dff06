"""What this executor can carry out: refused before anything is downloaded, written or started."""

from __future__ import annotations

from executor.engines import ENGINES
from executor.quantizers import QUANTIZERS
from planner.errors import ExecutionFailed
from planner.plan import Plan


def require_supported(plan: Plan) -> None:
    """ExecutionFailed when the plan wants an engine, a quantizer or hardware that this executor does not drive."""
    engine = plan.chosen.engine
    if engine not in ENGINES:
        raise ExecutionFailed(
            f"this executor runs {' and '.join(ENGINES)}; the plan is for {engine}",
            where=f"plan for {plan.model.name} on {plan.hardware.label}",
            fix=f"plan for a CPU (quantplan plan MODEL --on here), or start {engine} with the plan's arguments",
        )
    if plan.facts.get("hardware", {}).get("kind") == "gpu":
        raise ExecutionFailed(
            f"this executor serves on a CPU; the plan is for {plan.hardware.label}",
            where=f"plan for {plan.model.name}",
            fix="plan for this machine's CPU, for example: quantplan plan MODEL --on cpu:64GB",
        )
    for stage in plan.stages:
        if stage.kind == "quantize" and (tool := stage.parameters.get("tool") or "llama.cpp") not in QUANTIZERS:
            raise ExecutionFailed(
                f"this executor quantizes with {' and '.join(QUANTIZERS)}; the plan asks for {tool}",
                where=f"stage {stage.name!r}",
                fix="plan with a GGUF format: quantplan plan MODEL --on here --format gguf-q4_k_m",
            )
