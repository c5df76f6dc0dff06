"""How the chosen format is made: tool, variant, calibration. The rules' word, unless the user insists otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from planner.errors import BadInput
from planner.hardware.hardware import Hardware
from planner.layouts import Layout, gguf_type, layout_of, tools_for
from planner.plan import Candidate
from planner.planning.deciding import Choice, Deliberation
from planner.request import Request
from planner.support import vendor_of
from rules.vocabulary import FormatId


@dataclass(frozen=True, slots=True)
class Making:
    """What is asked of whoever makes the checkpoint. `calibration` names a file, folder or data set of the user's.

    `samples` and `text` (chat, plain) are the rules'; None where no rule spoke.
    """

    tool: str | None = None
    variant: str = ""
    calibration: str | None = None
    samples: int | None = None
    text: str | None = None
    serve: bool = True

    def layout(self, candidate: Candidate) -> Layout:
        """What is to be written. On a rung of another format, a tool or variant that does not make it is left aside."""
        known = tools_for(candidate.format)
        tool = next((tool for tool in (self.tool, candidate.tool) if tool in known), None)
        try:
            return layout_of(candidate.format, tool, self.variant)
        except BadInput:
            return layout_of(candidate.format, tool)

    def tool_for(self, choice: Choice) -> str | None:
        """The tool that makes the choice; its own word where nothing else was asked for."""
        return self.tool if self.tool in tools_for(choice.format) else choice.tool

    def gguf_type(self, candidate: Candidate) -> str:
        try:
            return gguf_type(candidate.format, self.variant)
        except BadInput:
            return gguf_type(candidate.format)


def making_of(request: Request, deliberation: Deliberation | None = None) -> Making:
    """What the user insists on, and what the rules say of calibrating the final choice."""
    said = _calibration_rules(deliberation) if deliberation else {}
    return Making(
        tool=request.tool,
        variant=request.variant or "",
        calibration=request.calibration,
        samples=said.get("samples"),
        text=said.get("text"),
        serve=not request.make_only,
    )


def require_makeable(request: Request, choice: Choice, hardware: Hardware) -> None:
    """BadInput when the tool or variant the user insists on does not make the chosen format, or nothing serves it."""
    if choice.format.startswith("gguf-"):
        gguf_type(choice.format, request.variant or "")
    elif request.tool or request.variant:
        layout = layout_of(choice.format, request.tool, request.variant or "")
        if not request.make_only and (choice.engine, vendor_of(hardware)) in layout.refused_by:
            raise BadInput(
                f"{choice.engine} does not load {choice.format}, {layout.variant or layout.checkpoint}, here",
                fix="leave --variant out, or add --make-only to make it here and serve it elsewhere",
            )


def making_warnings(request: Request, format: FormatId) -> Iterator[str]:
    """Why the tool the user insists on is not the one quantplan would have taken."""
    if request.tool in tools_for(format):
        layout = layout_of(format, request.tool, request.variant or "")
        if layout.avoid:
            yield f"{request.tool} was asked for: {layout.avoid}"


def _calibration_rules(deliberation: Deliberation) -> dict[str, Any]:
    """The settings of every rule that spoke on calibration, together."""
    answer = deliberation.answers.get("calibration")
    outcomes = (
        [spoken.outcome.model_dump(exclude_none=True) for spoken in answer.spoke if spoken.outcome] if answer else []
    )
    return {name: value for outcome in outcomes for name, value in outcome.items()}
