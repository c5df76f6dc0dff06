"""Serving engines by the name a plan gives them: one file and one line each."""

from __future__ import annotations

from executor.engines.engine import Engine
from executor.engines.llama_cpp import RPC, LlamaCppOverNodes, LlamaCppServer
from executor.engines.sglang import SglangServer
from executor.engines.tensorrt_llm import TensorRtLlmServer
from executor.engines.transformers import TransformersServer
from executor.engines.vllm import VllmCpuServer, VllmServer
from planner.plan import Plan, Stage

ENGINES: dict[str, Engine] = {
    "llama.cpp": LlamaCppServer(),
    "vllm": VllmServer(),
    "sglang": SglangServer(),
    "tensorrt-llm": TensorRtLlmServer(),
    "transformers": TransformersServer(),
}
ON_CPU: dict[str, Engine] = {**ENGINES, "vllm": VllmCpuServer()}


def runs_on_cpu(plan: Plan) -> bool:
    """Whether the plan is for a host without accelerators."""
    return plan.facts.get("hardware", {}).get("kind") == "cpu"


def engine_of(plan: Plan) -> Engine:
    """The engine that serves this plan's choice, in its build for the plan's hardware."""
    return (ON_CPU if runs_on_cpu(plan) else ENGINES)[plan.chosen.engine]


def engine_to_launch(plan: Plan, stage: Stage) -> Engine:
    """The same for a launch, which may ask for the build that reaches workers on other machines."""
    return LlamaCppOverNodes() if RPC in stage.parameters.get("arguments", ()) else engine_of(plan)
