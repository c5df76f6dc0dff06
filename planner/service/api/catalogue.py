"""What the planner believes: models, GPUs and prices, each with source and date. Answers carry an ETag."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from planner.service.access import Reader
from planner.service.api.paging import Limit, Offset, Page, not_changed, page
from planner.service.problems import Problem, not_found

router = APIRouter(tags=["catalogue"])
Wanted = Annotated[str, Query(max_length=100, description="part of a name")]
Name = Annotated[str, Path(max_length=100)]
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "The catalogue is as the client has it."}}


@router.get("/models", response_model=Page[dict[str, Any]], responses=UNCHANGED)
def models(
    request: Request, response: Response, asks: Reader, q: Wanted = "", limit: Limit = 100, offset: Offset = 0
) -> Any:
    """The models that are known by name."""
    if not_changed(request, response):
        return Response(status_code=304, headers=dict(response.headers))
    return page(request, matching(model_lines(), q), limit, offset)


@router.get("/models/{name}", responses={404: {"model": Problem}})
def model(asks: Reader, name: Name) -> dict[str, Any]:
    """One model of the catalogue."""
    found = next((line for line in model_lines() if line["name"] == name.lower()), None)
    if found is None:
        raise not_found(f"no model {name} in the catalogue", fix="GET /v1/models?q=... searches it")
    return found


@router.get("/gpus", response_model=Page[dict[str, Any]], responses=UNCHANGED)
def gpus(
    request: Request, response: Response, asks: Reader, q: Wanted = "", limit: Limit = 100, offset: Offset = 0
) -> Any:
    """The accelerators that are known, with the figures the planner uses."""
    if not_changed(request, response):
        return Response(status_code=304, headers=dict(response.headers))
    return page(request, matching(gpu_lines(), q), limit, offset)


@router.get("/prices", response_model=Page[dict[str, Any]], responses=UNCHANGED)
def prices(
    request: Request, response: Response, asks: Reader, q: Wanted = "", limit: Limit = 100, offset: Offset = 0
) -> Any:
    """Dated prices of an hour, each with its provider and source. USD."""
    if not_changed(request, response):
        return Response(status_code=304, headers=dict(response.headers))
    return page(request, matching(price_lines(), q), limit, offset)


def matching(lines: list[dict[str, Any]], wanted: str) -> list[dict[str, Any]]:
    """The lines whose name contains what is wanted."""
    return [line for line in lines if wanted.lower() in line["name"].lower()] if wanted else lines


@cache
def model_lines() -> list[dict[str, Any]]:
    """Every model of the catalogue."""
    from planner.models.catalogue import entries, model_of

    return [_model(entry.name, model_of(entry)) for entry in entries()]


def _model(name: str, known: Any) -> dict[str, Any]:
    shape = known.shape
    return {
        "name": name,
        "family": shape.family,
        "parameters": shape.parameters,
        "active_parameters": shape.active_parameters,
        "layer_count": shape.layer_count,
        "max_context_tokens": shape.max_context_tokens,
        "stored_format": known.stored_format,
        "source": known.source,
    }


@cache
def gpu_lines() -> list[dict[str, Any]]:
    """Every accelerator of the catalogue."""
    from planner.hardware.catalogue import entries

    return [asdict(entry.accelerator) for entry in entries()]


@cache
def price_lines() -> list[dict[str, Any]]:
    """Every dated price."""
    from planner.prices import table

    return [asdict(line) for line in table.price_lines()]
