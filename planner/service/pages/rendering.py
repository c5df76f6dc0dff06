"""Templates, autoescaped, with what every page needs; and the files they link to."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from planner import __version__
from planner.errors import QuantplanError
from planner.service.problems import Refused, not_found
from planner.templates import template_directory
from planner.unfeasible import NoFeasiblePlan

NAVIGATION = (
    ("/", "Ask"),
    ("/fits", "Fits"),
    ("/compare", "Compare"),
    ("/cost", "Cost"),
    ("/fleet", "Fleet"),
    ("/runs", "Runs"),
    ("/accuracy", "Accuracy"),
    ("/rules", "Rules"),
    ("/prices", "Prices"),
    ("/gpus", "GPUs"),
)
FIELDS = {
    "--input-tokens": "Prompt tokens",
    "--output-tokens": "Output tokens",
    "--context-tokens": "Longest request",
    "--concurrency": "Requests at once",
    "--requests-per-s": "Requests a second",
    "--prefix-hit-rate": "Prompt found in cache",
    "--host-memory-gib": "Host memory",
    "--ttft-ms": "Target: first token",
    "--tpot-ms": "Target: each next token",
    "--usd-per-hour": "USD per GPU-hour",
    "--utilisation": "Busy at most",
    "--nodes": "Nodes",
    "see `quantplan plan --help` for what it takes": "correct the field",
}
STATIC = {"style.css": "text/css", "page.js": "text/javascript"}
KEEP = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@cache
def environment() -> Environment:
    """The pages' templates: everything is escaped, and a name that is missing is an error."""
    loader = FileSystemLoader(template_directory())
    templates = Environment(
        loader=loader,
        autoescape=select_autoescape(("html.j2", "svg.j2"), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["on_a_page"] = on_a_page
    return templates


def on_a_page(text: str) -> str:
    """Advice with the names of the form's fields for the options of the command line."""
    for option, field in FIELDS.items():
        text = text.replace(option, f"“{field}”")
    return text


def render(template: str, here: str, *, problem: QuantplanError | None = None, **values: Any) -> HTMLResponse:
    """A page. With a problem it says so on top, with the status a program would get."""
    text = (
        environment()
        .get_template(f"pages/{template}")
        .render(here=here, navigation=NAVIGATION, version=__version__, problem=problem, **values)
    )
    return HTMLResponse(text, status_of(problem))


def status_of(problem: QuantplanError | None) -> int:
    """200, or the status of the problem."""
    if problem is None:
        return 200
    if isinstance(problem, Refused):
        return problem.status
    return 409 if isinstance(problem, NoFeasiblePlan) else 422


@router.get("/static/{name}")
def static(name: str) -> Response:
    """A style sheet or script of ours; addresses carry the version, so they may be kept."""
    if name not in STATIC:
        raise not_found(f"no file {name[:50]}")
    content = (template_directory() / "pages" / "static" / name).read_bytes()
    return Response(content, media_type=STATIC[name], headers={"Cache-Control": KEEP})
