"""Tools for assistants (Model Context Protocol): what fits, how to serve it, why, and what it costs. None executes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from planner import __version__
from planner.asking import request_of
from planner.errors import QuantplanError
from planner.plan import Decision, Evidence, Plan
from planner.planning.pipeline import make_plan
from planner.planning.reviewing import verdict
from planner.request import Request
from planner.service.allowing import check_request
from planner.service.settings import Settings
from planner.service.sweeping import FitsQuestion, as_plain, swept
from rules.book import load_book
from rules.errors import RuleError

INSTRUCTIONS = (
    "Plans how to serve a language model on given GPUs. Figures are predictions with 90 % intervals; null means that "
    "the planner abstains, and says why. Name hardware as COUNTxNAME (2xL40S, 1xA100-80GB) or cpu:64GB."
)
ROWS = 20


def create_tools(settings: Settings | None = None) -> MCPServer:
    """The server of these tools, to be run over stdio or HTTP."""
    settings = settings or Settings()
    server = MCPServer("quantplan", title="quantplan", version=__version__, instructions=INSTRUCTIONS)

    @server.tool()
    def plan(
        model: str, hardware: str, workload: dict[str, Any] | None = None, objective: str = "tree"
    ) -> dict[str, Any]:
        """Decide how to serve a model: format, engine, memory, speed and cost, with reasons and alternatives.

        workload: input_tokens, output_tokens, concurrency, context_tokens, task ... objective: tree, cost, latency,
        throughput or quality.
        """
        request = _request(settings, model=model, hardware=hardware, workload=workload or {}, objective=objective)
        return _told(lambda: summary(make_plan(request, book=load_book(settings.rules))))

    @server.tool()
    def what_fits(
        hardware: str | None = None, model: str | None = None, users: int = 8, context_tokens: int | None = None
    ) -> dict[str, Any]:
        """Models that fit on hardware, or with a model alone, hardware it fits on. Best first."""
        asked = FitsQuestion(on=hardware, model=model, users=users, context_tokens=context_tokens, limit=ROWS)

        def answer() -> dict[str, Any]:
            asked.check(settings)
            return as_plain(swept(asked))

        return _told(answer)

    @server.tool()
    def explain(model: str, hardware: str, workload: dict[str, Any] | None = None) -> dict[str, Any]:
        """Why: every decision with the rules that spoke, their sources, and the clause that failed for the others."""
        request = _request(settings, model=model, hardware=hardware, workload=workload or {})

        def answer() -> dict[str, Any]:
            found = verdict(request, load_book(settings.rules))
            decisions = [decision.model_dump(mode="json") for decision in found.decisions]
            return {"choice": found.choice, "refused": found.refused, "decisions": decisions}

        return _told(answer)

    return server


def summary(plan: Plan) -> dict[str, Any]:
    """What an assistant needs of a plan: the choice with its figures, and the neighbours in a line each."""
    chosen = plan.chosen
    return {
        "model": plan.model.name,
        "hardware": plan.hardware.label,
        "choice": chosen.model_dump(mode="json", include=CHOICE),
        "memory": chosen.memory.model_dump(mode="json"),
        "predictions": [prediction.model_dump(mode="json") for prediction in chosen.predictions],
        "cost": chosen.cost.model_dump(mode="json") if chosen.cost else None,
        "why": [f"{d.decision}: {e.because} [{e.source}]" for d, e in _reasons(plan)],
        "alternatives": [
            {"format": c.format, "verdict": c.verdict, "reasons": list(c.reasons)} for c in plan.alternatives
        ],
        "warnings": list(plan.warnings),
    }


def _reasons(plan: Plan) -> Iterator[tuple[Decision, Evidence]]:
    return ((d, e) for d in plan.decisions if d.decision in WHY for e in d.answered_by)


CHOICE = {
    "format", "engine", "engine_version", "tensor_parallel", "replicas", "kv_cache", "group_size", "kernel", "quality",
    "engine_arguments",
}  # fmt: skip
WHY = ("width", "format", "engine", "kv_cache", "parallelism")


def _request(settings: Settings, **asked: Any) -> Request:
    """The question, checked against what may be read here. ToolError in the words of the command line."""
    try:
        request = request_of(asked, "the question")
        check_request(request, settings)
    except QuantplanError as error:
        raise ToolError(str(error)) from None
    return request


def _told(answer: Any) -> dict[str, Any]:
    """The answer; a problem becomes the tool's error in the words of the command line."""
    try:
        found: dict[str, Any] = answer()
    except (QuantplanError, RuleError) as error:
        raise ToolError(str(error)) from None
    return found
