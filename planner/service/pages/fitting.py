"""The page of what fits: the table, and the heat map of every format."""

from __future__ import annotations

from typing import Annotated, Any, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from planner.errors import QuantplanError
from planner.fits.fit import Fit
from planner.service.access import Planner
from planner.service.pages.forms import Form, read_as
from planner.service.pages.rendering import render
from planner.service.parts import Service
from planner.service.sweeping import FitsQuestion, picture, swept
from rules.vocabulary import EngineId, FormatId

router = APIRouter(include_in_schema=False)
HERE = "/fits"
CHOICES = {"engines": get_args(EngineId), "formats": get_args(FormatId)}
Text = Annotated[str, Query(max_length=200)]


class Asked(Form):
    """What fits where, and for which load."""

    on: Text = ""
    model: Text = ""
    users: Text = ""
    context_tokens: Text = ""
    min_context: Text = ""
    family: Text = ""
    task: Text = ""
    engine: Text = ""
    format: Text = ""

    def question(self) -> FitsQuestion:
        """What is asked. BadInput names the field that cannot be read."""
        return read_as(FitsQuestion, self.given)


@router.get(HERE)
def fits(service: Service, asks: Planner, asked: Annotated[Asked, Query()]) -> HTMLResponse:
    """What fits where, best first."""
    title = _title(asked)
    values: dict[str, Any] = {"asked": asked, "title": title, "by_hardware": not asked.on, **CHOICES}
    values |= {"map_address": f"/fits/map.svg?{asked.query()}", "link": lambda fit: _link(fit, asked)}
    if not (asked.on or asked.model):
        return render("fits.html.j2", HERE, answer=None, **values)
    try:
        question = asked.question()
        question.check(service.settings)
        return render("fits.html.j2", HERE, answer=swept(question), **values)
    except QuantplanError as problem:
        return render("fits.html.j2", HERE, problem=problem, answer=None, **values)


@router.get("/fits/map.svg")
def heat_map(service: Service, asks: Planner, asked: Annotated[Asked, Query()]) -> Response:
    """The heat map of a question."""
    question = asked.question()
    question.check(service.settings)
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return Response(picture(question), media_type="image/svg+xml", headers=headers)


def _title(asked: Asked) -> str:
    if asked.on:
        return f"What fits on {asked.on}" if not asked.model else f"{asked.model} on {asked.on}"
    return f"What {asked.model} fits on" if asked.model else "What fits?"


def _link(fit: Fit, asked: Asked) -> str:
    """The plan for one row."""
    named = {"model": fit.model, "on": asked.on or fit.hardware, "format": fit.format}
    if asked.users:
        named["concurrency"] = asked.users
    return f"/?{urlencode(named)}"
