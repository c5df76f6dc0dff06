"""What fits: models on given hardware, or hardware for a given model."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from planner.errors import BadInput
from planner.fits.question import Question
from planner.service.access import Planner
from planner.service.answering import check_hardware, check_model
from planner.service.api.paging import MOST, not_changed
from planner.service.parts import Service
from planner.service.problems import Problem
from rules.vocabulary import EngineId, FormatId

router = APIRouter(tags=["fits"])
Text = Annotated[str | None, Query(max_length=200)]
Count = Annotated[int | None, Query(ge=1, le=100_000_000)]


@router.get("/fits", responses={422: {"model": Problem}})
def fits(
    request: Request,
    response: Response,
    service: Service,
    asks: Planner,
    on: Text = None,
    model: Text = None,
    users: Count = None,
    context_tokens: Count = None,
    min_context: Count = None,
    task: Text = None,
    family: Text = None,
    engine: EngineId | None = None,
    format: FormatId | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> Any:
    """Models that fit `on` hardware; or with `model` alone, hardware it fits on; with both, how it fits there."""
    settings = service.settings
    if on is None and model is None:
        raise BadInput("neither a model nor hardware is named", fix="add ?on=1xA100-80GB or ?model=llama-3.1-70b")
    if on is not None:
        check_hardware(on, settings)
        check_count(on, settings.max_accelerators)
    if model is not None:
        check_model(model, settings)
    if not_changed(request, response):
        return Response(status_code=304, headers=dict(response.headers))
    asked = {
        "users": users,
        "context_tokens": context_tokens,
        "min_context": min_context,
        "task": task,
        "family": family,
        "engine": engine,
        "format": format,
        "limit": limit,
    }
    return swept(on, model, tuple((name, value) for name, value in asked.items() if value is not None))


@lru_cache(maxsize=256)
def swept(on: str | None, model: str | None, asked: tuple[tuple[str, Any], ...]) -> Any:
    """The answer of one sweep, as plain values."""
    from planner.cli.fits_command import _models
    from planner.fits.on_hardware import all_fits, best_fits, outcome_on
    from planner.fits.over_accelerators import everywhere
    from planner.fits.writing import as_json
    from planner.hardware.resolving import resolve_hardware

    question = Question(**dict(asked)).checked()
    models = _models(model)
    if on is None:
        return as_json(everywhere(models[0], question).answer(everything=False))
    place = resolve_hardware(on)
    if model is None:
        return as_json(best_fits(place, models, question))
    return as_json(all_fits(outcome_on(place, models, question)))


def check_count(on: str, most: int) -> None:
    """BadInput for more accelerators than one question may sweep."""
    digits = on.strip().lower().split("x", 1)[0]
    if digits.isdigit() and int(digits[:9]) > most:
        raise BadInput(f"{digits[:20]} accelerators: one question takes at most {most}", fix="ask for fewer")
