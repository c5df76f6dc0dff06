"""The page that asks and answers: its whole state is in its address, so it can be shared."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query
from fastapi import Request as HttpRequest
from fastapi.responses import HTMLResponse

from planner.asking import request_from
from planner.errors import QuantplanError
from planner.plan import Plan
from planner.request import Request
from planner.service.access import Planner
from planner.service.pages.forms import Form, number
from planner.service.pages.rendering import render
from planner.service.pages.showing import shown
from planner.service.parts import Service
from rules.vocabulary import EngineId, FormatId, Objective, Task

router = APIRouter(include_in_schema=False)
HERE = "/"
FIRST_FIELDS = ("model", "on", "input_tokens", "output_tokens", "concurrency")
Text = Annotated[str, Query(max_length=200)]
CHOICES = {
    "tasks": get_args(Task),
    "objectives": [name for name in get_args(Objective) if name != "tree"],
    "formats": get_args(FormatId),
    "engines": get_args(EngineId),
    "percentiles": ("p50", "p95", "p99"),
}


class Asked(Form):
    """A model, hardware and a workload."""

    model: Text = ""
    on: Text = ""
    input_tokens: Text = ""
    output_tokens: Text = ""
    context_tokens: Text = ""
    concurrency: Text = ""
    requests_per_s: Text = ""
    prefix_hit_rate: Text = ""
    task: Text = ""
    objective: Text = ""
    format: Text = ""
    engine: Text = ""
    ttft_ms: Text = ""
    tpot_ms: Text = ""
    percentile: Text = ""
    host_memory_gib: Text = ""
    usd_per_hour: Text = ""
    utilisation: Text = ""
    precision_critical: Text = ""
    multi_turn: Text = ""

    def request(self) -> Request:
        """The question. BadInput names the field that cannot be read."""
        given = self.given
        given["hardware"], given["format_"] = given.pop("on", ""), given.pop("format", None)
        if self.host_memory_gib:
            given["host_memory_gib"] = number("host_memory_gib", self.host_memory_gib)
        return request_from({"model": "", **given})

    def address(self, **changed: str) -> str:
        """The address of this question, with something changed."""
        return f"{HERE}?{self.query(**changed)}"


@router.get(HERE)
def ask(http: HttpRequest, service: Service, asks: Planner, asked: Annotated[Asked, Query()]) -> HTMLResponse:
    """Ask, and see the answer on one screen."""
    values: dict[str, Any] = {"asked": asked, "more_is_open": _more(asked), **CHOICES}
    if not (asked.model and asked.on):
        return render("ask.html.j2", HERE, shown=None, plan=None, digest="", **values)
    try:
        answer = service.answering.plan(asked.request())
    except QuantplanError as problem:
        return render("ask.html.j2", HERE, problem=problem, shown=None, plan=None, digest="", **values)
    plan = Plan.model_validate_json(answer.body)
    digest = answer.digest.removeprefix("sha256:")
    return render("ask.html.j2", HERE, shown=shown(plan, asked.address), plan=plan, digest=digest, **values)


def _more(asked: Asked) -> bool:
    """Whether a field of the folded part is filled in, so that it is shown open."""
    return not asked.given.keys() <= set(FIRST_FIELDS)
