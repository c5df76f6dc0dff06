"""The page finance opens: terms to change, and the report beneath."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from planner.errors import QuantplanError
from planner.prices.line import KINDS
from planner.request import Frozen
from planner.service.access import Reader
from planner.service.costing import MOST_PLANS, CostQuestion, comparison_for
from planner.service.pages.comparing import recent
from planner.service.pages.rendering import render, unreadable
from planner.service.parts import Service

router = APIRouter(include_in_schema=False)
HERE = "/cost"
Text = Annotated[str, Query(max_length=80)]


class Asked(Frozen):
    """The fields of the form, as text: an empty one was left out."""

    plan: Annotated[list[Annotated[str, Query(pattern=r"^[0-9a-f]{64}$")]], Query(max_length=MOST_PLANS)] = []
    requests_per_s: Text = ""
    utilisation: Text = ""
    cached_share: Text = ""
    api_price: Text = ""
    kind: Text = ""
    usd_per_hour: Text = ""
    purchase_usd: Text = ""
    years: Text = ""

    @property
    def given(self) -> dict[str, Any]:
        return {name: value for name, value in self.model_dump().items() if value}

    def question(self) -> CostQuestion:
        """What is asked. BadInput names the field that cannot be read."""
        given = self.given
        if "purchase_usd" in given:
            given["purchase_usd"] = [given["purchase_usd"]]
        try:
            return CostQuestion.model_validate(given)
        except ValidationError as error:
            raise unreadable(error) from None


@router.get(HERE)
def cost(service: Service, asks: Reader, asked: Annotated[Asked, Query()]) -> HTMLResponse:
    """What the chosen plans cost."""
    values: dict[str, Any] = {
        "asked": asked,
        "selected": asked.plan,
        "recent": recent(service),
        "kinds": KINDS,
    }
    if not asked.plan:
        return render("cost.html.j2", HERE, report_query="", **values)
    try:
        comparison_for(asked.question(), service.plans)
    except QuantplanError as problem:
        return render("cost.html.j2", HERE, problem=problem, report_query="", **values)
    return render("cost.html.j2", HERE, report_query=urlencode(asked.given, doseq=True), **values)
