"""Every error becomes a problem in the words of the command line: JSON for a program, a page for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from planner.costs.report.pdf import ReportToolMissing
from planner.errors import BadInput, ExecutionFailed, ExecutorMissing, QuantplanError
from planner.service.pages.rendering import render
from planner.service.problems import MEDIA_TYPE, Problem, Refused
from planner.unfeasible import NoFeasiblePlan
from planner.writing import legible
from rules.errors import RuleError, UnknownDecision

LONGEST_ECHO = 200
KINDS: Mapping[type[Exception], tuple[str, str, int]] = {
    BadInput: ("bad-input", "The question is malformed", 422),
    NoFeasiblePlan: ("no-feasible-plan", "No plan answers the question", 409),
    ExecutorMissing: ("executor-missing", "No executor is installed here", 501),
    ReportToolMissing: ("tool-missing", "A library is not installed here", 501),
    ExecutionFailed: ("execution-failed", "A step of the run failed", 500),
}


def install(app: FastAPI) -> None:
    """Every error the service can give becomes a problem."""
    app.add_exception_handler(QuantplanError, _known)
    app.add_exception_handler(RuleError, _rule)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def problem(request: Request, kind: str, title: str, status: int, detail: str, **more: Any) -> Response:
    """A problem as a response: for a person's browser on a page, else for a program."""
    if is_page(request):
        return error_page(request, title, status, detail, **more)
    content = Problem(
        type=f"/problems/{kind}", title=title, status=status, detail=detail, instance=request.url.path, **more
    )
    return JSONResponse(content.model_dump(), status, media_type=MEDIA_TYPE)


def is_page(request: Request) -> bool:
    """Whether this was asked by a browser for one of the pages."""
    return not request.url.path.startswith("/v1") and "text/html" in request.headers.get("accept", "")


def error_page(request: Request, title: str, status: int, detail: str, **more: Any) -> Response:
    """The problem as a page."""
    told = QuantplanError(detail, where=more.get("where", ""), nearest=more.get("nearest", ()), fix=more.get("fix", ""))
    page = render("error.html.j2", request.url.path, problem=told, title=title)
    page.status_code = status
    return page


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, QuantplanError)
    if isinstance(error, Refused):
        kind, title, status = error.kind, error.title, error.status
    else:
        kind, title, status = KINDS.get(type(error), ("bad-input", "The question is malformed", 422))
    more = {"where": error.where, "nearest": list(error.nearest), "fix": error.fix}
    return problem(request, kind, title, status, error.what, **more)


async def _rule(request: Request, error: Exception) -> Response:
    assert isinstance(error, RuleError)
    more = {"where": error.where, "nearest": list(error.nearest), "fix": error.fix}
    if isinstance(error, UnknownDecision):
        return problem(request, "not-found", "There is no such thing", 404, error.message, **more)
    return problem(request, "bad-rule", "The rule book cannot answer", 422, error.message, **more)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    unknown = first["type"] == "extra_forbidden"
    detail = "there is no such key" if unknown else first["msg"].lower()
    return problem(request, "bad-input", "The question is malformed", 422, detail, where=_place(first["loc"]), fix=FIX)


FIX = "see /v1/openapi.json for what this address takes"


def _place(steps: Sequence[Any]) -> str:
    return legible(".".join(str(step) for step in steps)[:LONGEST_ECHO])


async def _unexpected(request: Request, error: Exception) -> Response:
    """A fault of ours: the log has all of it, the answer only the number to find it by."""
    from planner.service.observing import current_request

    detail = f"a fault of the service; its log tells more of request {current_request.get()}"
    return problem(request, "internal", "The service failed", 500, detail, fix="tell whoever runs the service")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = problem(request, "http", str(error.detail), error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer
