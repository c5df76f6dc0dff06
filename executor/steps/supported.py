"""What this executor can carry out here: refused before anything is downloaded, written or started."""

from __future__ import annotations

from executor import quantizers
from executor.engines import ENGINES, runs_on_cpu
from planner.errors import ExecutionFailed
from planner.hardware.nvml import GpuReading, read_driver
from planner.plan import Plan

ON_CPU = ("llama.cpp", "vllm", "transformers")
ENOUGH_MEMORY = 0.95  # of what was planned with: drivers reserve more or less of the same card


def require_supported(plan: Plan, nodes: int = 1) -> None:
    """ExecutionFailed when the plan wants hardware that is not here, or an engine or quantizer that is not driven.

    A plan that serves nothing needs none of the hardware it is for; one of `nodes` that serve a copy, its part.
    """
    if not any(stage.kind == "launch" for stage in plan.stages):
        _require_quantizers(plan)
        return
    if runs_on_cpu(plan):
        _require_cpu_engine(plan)
    else:
        _require_gpus(plan, read_driver().gpus, nodes)
    _require_quantizers(plan)


def _require_cpu_engine(plan: Plan) -> None:
    if plan.chosen.engine not in ON_CPU:
        raise ExecutionFailed(
            f"on a CPU this executor runs {', '.join(ON_CPU)}; the plan is for {plan.chosen.engine}",
            where=f"plan for {plan.model.name} on {plan.hardware.label}",
            fix="plan with --engine vllm or a GGUF format: quantplan plan MODEL --on here",
        )


def _require_gpus(plan: Plan, gpus: tuple[GpuReading, ...], nodes: int) -> None:
    """As many GPUs as planned with for one of so many nodes, each with the memory planned with."""
    wanted_gib = plan.hardware.memory_gib * ENOUGH_MEMORY
    enough = [gpu for gpu in gpus if (gpu.memory_gib or 0) >= wanted_gib]
    needed = plan.chosen.accelerators // nodes
    if plan.chosen.engine not in ENGINES or len(enough) < needed:
        here = ", ".join(gpu.name for gpu in gpus) or "no NVIDIA GPU"
        raise ExecutionFailed(
            f"the plan needs {needed} x {plan.hardware.name}; this machine has {here}",
            where=f"plan for {plan.model.name}",
            fix="apply it on that machine, or take its start file there: quantplan render PLAN --as shell",
        )
    if plan.chosen.engine == "tensorrt-llm" and plan.chosen.kv_cache != "16-bit":
        raise ExecutionFailed(
            "TensorRT-LLM takes the type of its KV cache from a file of options, which this executor does not write",
            where=f"plan for {plan.model.name}",
            fix="start it with the rendered files (quantplan render PLAN --as tensorrt-llm), or plan a 16-bit cache",
        )


def _require_quantizers(plan: Plan) -> None:
    known = quantizers.QUANTIZERS
    for stage in plan.stages:
        if stage.kind == "quantize" and (tool := stage.parameters.get("tool") or "llama.cpp") not in known:
            raise ExecutionFailed(
                f"this executor quantizes with {', '.join(known)}; the plan asks for {tool}",
                where=f"stage {stage.name!r}",
                fix="plan again, and name one of these with --tool if you like",
            )
