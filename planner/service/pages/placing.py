"""The page of a fleet: cluster and models as text, and beneath it which copies stand where, at what cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Request as HttpRequest
from fastapi.responses import HTMLResponse

from planner.clusters.documents import parse_document
from planner.errors import QuantplanError
from planner.fleet.fleet import Fleet
from planner.service.access import Planner
from planner.service.clusters.questions import AskedCluster, FleetQuestion
from planner.service.pages.forms import Form
from planner.service.pages.packing import shown
from planner.service.pages.rendering import render
from planner.service.parts import Service

router = APIRouter(include_in_schema=False)
HERE = "/fleet"
LONGEST = 12_000
Document = Annotated[str, Query(max_length=LONGEST)]
CLUSTER = """\
# gbit_s: one direction, all network cards of a node together
name: house
between_nodes: {kind: infiniband, gbit_s: 400, latency_us: 5}
nodes:
  - {name: h100, gpu: H100-80GB-SXM, gpus: 8, count: 12}
  - name: l40s
    gpu: L40S
    gpus: 4
    count: 20
    price: {usd_per_node_hour: 4.4}
"""
MODELS = """\
# loss: what quantizing may cost (none, almost-none, some)
models:
  - {name: chat, model: llama-3.1-70b, requests_per_s: 40,
     ttft_ms: 2000, tpot_ms: 50, min_replicas: 2, priority: 2}
  - {name: small, model: llama-3.1-8b, requests_per_s: 120,
     tpot_ms: 60, min_replicas: 3}
  - {name: judge, model: llama-3.1-405b, requests_per_s: 2,
     tpot_ms: 80, loss: none, priority: 1}
spare_nodes: 1
"""


class Asked(Form):
    """A cluster and a fleet, as YAML."""

    cluster: Document = ""
    models: Document = ""

    def question(self) -> FleetQuestion:
        """What is asked. BadInput names the line that cannot be read."""
        return FleetQuestion(
            cluster=parse_document(self.cluster, Path("cluster"), AskedCluster, "a cluster"),
            fleet=parse_document(self.models, Path("models"), Fleet, "a fleet"),
        )


@router.get(HERE)
async def fleet(http: HttpRequest, service: Service, asks: Planner, asked: Annotated[Asked, Query()]) -> HTMLResponse:
    """Place models on a cluster."""
    if not (asked.cluster and asked.models):
        started = Asked(cluster=asked.cluster or CLUSTER, models=asked.models or MODELS)
        return render("fleet.html.j2", HERE, asked=started, shown=None)
    try:
        question = asked.question()
        told = await service.desk.answer(question, http.is_disconnected)
    except QuantplanError as problem:
        return render("fleet.html.j2", HERE, problem=problem, asked=asked, shown=None)
    return render("fleet.html.j2", HERE, asked=asked, shown=shown(told, question))
