"""The page of layouts: one model over several nodes in every way, and what the link between them costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query
from fastapi import Request as HttpRequest
from fastapi.responses import HTMLResponse

from planner.clusters.documents import parse_document
from planner.errors import QuantplanError
from planner.figures import figure
from planner.service.access import Planner
from planner.service.clusters.questions import AskedCluster, LayoutsQuestion
from planner.service.pages.forms import Form, read_as
from planner.service.pages.placing import CLUSTER, Document
from planner.service.pages.rendering import render
from planner.service.parts import Service
from rules.vocabulary import FormatId

router = APIRouter(include_in_schema=False)
HERE = "/layouts"
Text = Annotated[str, Query(max_length=200)]


class Asked(Form):
    """A cluster as YAML, a model, and how much of the cluster it may take."""

    cluster: Document = ""
    model: Text = ""
    node_type: Text = ""
    nodes: Text = ""
    concurrency: Text = ""
    input_tokens: Text = ""
    output_tokens: Text = ""
    format: Text = ""

    def question(self) -> LayoutsQuestion:
        """What is asked. BadInput names the line or field that cannot be read."""
        cluster = parse_document(self.cluster, Path("cluster"), AskedCluster, "a cluster")
        return read_as(LayoutsQuestion, {**self.given, "cluster": cluster})


@router.get(HERE)
async def layouts(http: HttpRequest, service: Service, asks: Planner, asked: Annotated[Asked, Query()]) -> HTMLResponse:
    """Lay a model over nodes."""
    formats = get_args(FormatId)
    if not (asked.cluster and asked.model):
        started = asked.model_copy(update={"cluster": asked.cluster or CLUSTER})
        return render("layouts.html.j2", HERE, asked=started, formats=formats, told=None, rows=[])
    try:
        told = await service.desk.answer(asked.question(), http.is_disconnected)
    except QuantplanError as problem:
        return render("layouts.html.j2", HERE, problem=problem, asked=asked, formats=formats, told=None, rows=[])
    return render("layouts.html.j2", HERE, asked=asked, formats=formats, told=told, rows=rows(told))


def rows(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The layouts, the fastest for one user and the one of most tokens a second marked."""
    possible = [row for row in told["layouts"] if not row["why_not"]]
    fastest = min((row["tpot_ms"] for row in possible), default=None)
    most = max((row["tokens_per_s"] for row in possible), default=None)
    return [
        {
            **row,
            "weights": figure(row["weights_gib"]) if row["weights_gib"] else "",
            "ttft": figure(row["ttft_ms"]),
            "tpot": figure(row["tpot_ms"]),
            "link": figure(row["link_ms"]),
            "share": f"{100 * row['link_ms'] / row['tpot_ms']:.0f} %" if row["tpot_ms"] else "",
            "rate": figure(row["tokens_per_s"]),
            "fastest": row["tpot_ms"] is not None and row["tpot_ms"] == fastest,
            "most": row["tokens_per_s"] is not None and row["tokens_per_s"] == most,
        }
        for row in told["layouts"]
    ]
