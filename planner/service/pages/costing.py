"""The page finance opens: terms to change, and the report beneath."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from planner.errors import QuantplanError
from planner.prices.line import KINDS
from planner.service.access import Reader
from planner.service.costing import MOST_PLANS, CostQuestion, comparison_for
from planner.service.pages.forms import Form, read_as
from planner.service.pages.made import recent
from planner.service.pages.rendering import render
from planner.service.parts import Service

router = APIRouter(include_in_schema=False)
HERE = "/cost"
Text = Annotated[str, Query(max_length=80)]


class Asked(Form):
    """Which plans to price, and on which terms."""

    plan: Annotated[list[Annotated[str, Query(pattern=r"^[0-9a-f]{64}$")]], Query(max_length=MOST_PLANS)] = []
    requests_per_s: Text = ""
    utilisation: Text = ""
    cached_share: Text = ""
    api_price: Text = ""
    kind: Text = ""
    usd_per_hour: Text = ""
    purchase_usd: Text = ""
    years: Text = ""

    def question(self) -> CostQuestion:
        """What is asked. BadInput names the field that cannot be read."""
        bought = {"purchase_usd": [self.purchase_usd]} if self.purchase_usd else {}
        return read_as(CostQuestion, {**self.given, **bought})


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
    return render("cost.html.j2", HERE, report_query=asked.query(), **values)
