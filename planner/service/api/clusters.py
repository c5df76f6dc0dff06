"""Clusters: models placed on their nodes, and one model laid over several nodes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import AfterValidator

from planner.service.access import Planner
from planner.service.api.asking import writable
from planner.service.clusters.questions import FleetQuestion, LayoutsQuestion, PlacementQuestion
from planner.service.parts import Service
from planner.service.problems import Problem

router = APIRouter(tags=["clusters"])
HOUSE = {
    "name": "house",
    "between_nodes": {"kind": "infiniband", "gbit_s": 400, "latency_us": 5},
    "nodes": [{"name": "h100", "gpu": "H100-80GB-SXM", "gpus": 8, "count": 4}],
}
CHAT = {"models": [{"model": "llama-3.1-70b", "name": "chat", "requests_per_s": 10, "tpot_ms": 50}]}
FLEETS = {"one model on four nodes": {"value": {"cluster": HOUSE, "fleet": CHAT}}}
LAYOUTS = {"405B on two nodes": {"value": {"cluster": HOUSE, "model": "llama-3.1-405b", "nodes": 2}}}
PLACEMENTS = {
    "one copy where it is cheapest": {"value": {"cluster": HOUSE, "ask": {"model": "llama-3.1-70b"}}},
    "405B on two nodes": {"value": {"cluster": HOUSE, "ask": {"model": "llama-3.1-405b"}, "nodes": 2}},
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "No plan answers the question; `fix` says what would."},
    422: {"model": Problem, "description": "The question is malformed, or too large."},
    503: {"model": Problem, "description": "Too many ask, or the solver took too long and was stopped."},
}


@router.post("/fleets", responses=PROBLEMS)
async def fleet(
    request: Request,
    service: Service,
    asks: Planner,
    question: Annotated[FleetQuestion, Body(openapi_examples=FLEETS), AfterValidator(writable)],
) -> dict[str, Any]:
    """Place models on a cluster: which copies on which nodes, the cost, the solver's gap, and what is short and why."""
    return await service.desk.answer(question, request.is_disconnected)


@router.post("/layouts", responses=PROBLEMS)
async def layouts(
    request: Request,
    service: Service,
    asks: Planner,
    question: Annotated[LayoutsQuestion, Body(openapi_examples=LAYOUTS), AfterValidator(writable)],
) -> dict[str, Any]:
    """Lay one model over several nodes in every way: what each gives, and what the link between nodes costs it."""
    return await service.desk.answer(question, request.is_disconnected)


@router.post("/placements", responses=PROBLEMS)
async def placements(
    request: Request,
    service: Service,
    asks: Planner,
    question: Annotated[PlacementQuestion, Body(openapi_examples=PLACEMENTS), AfterValidator(writable)],
) -> dict[str, Any]:
    """A plan asked of a cluster: which nodes, layout and copies, and why; `placement` says what else was weighed."""
    return await service.desk.answer(question, request.is_disconnected)
