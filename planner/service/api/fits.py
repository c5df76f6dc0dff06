"""What fits: models on given hardware, or hardware for a given model."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from planner.service.access import Planner
from planner.service.api.paging import not_changed
from planner.service.parts import Service
from planner.service.problems import Problem
from planner.service.sweeping import FitsQuestion, as_plain, swept

router = APIRouter(tags=["fits"])


@router.get("/fits", responses={422: {"model": Problem}})
def fits(
    request: Request, response: Response, service: Service, asks: Planner, asked: Annotated[FitsQuestion, Query()]
) -> Any:
    """Models that fit `on` hardware; or with `model` alone, hardware it fits on; with both, how it fits there."""
    asked.check(service.settings)
    if not_changed(request, response):
        return Response(status_code=304, headers=dict(response.headers))
    return as_plain(swept(asked))
