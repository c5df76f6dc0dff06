"""Fits over HTTP: one question in both directions, remembered, and its picture."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query

from planner.errors import BadInput
from planner.fits.question import Question
from planner.request import Frozen
from planner.service.allowing import check_hardware, check_model
from planner.service.settings import Settings
from rules.vocabulary import EngineId, FormatId

if TYPE_CHECKING:
    from planner.fits.on_hardware import Answer
    from planner.fits.over_accelerators import Everywhere
    from planner.models.model import Model

HOW = "add ?on=1xA100-80GB or ?model=llama-3.1-70b"
MOST = 500
ANSWERS_KEPT = 256
SWEEPS_KEPT = 16
Text = Annotated[str | None, Query(max_length=200)]
Count = Annotated[int | None, Query(ge=1, le=100_000_000)]


class FitsQuestion(Frozen):
    """Models that fit `on` hardware; with `model` alone, hardware it fits on; with both, how it fits there."""

    on: Text = None
    model: Text = None
    users: Count = None
    context_tokens: Count = None
    min_context: Count = None
    task: Text = None
    family: Text = None
    engine: EngineId | None = None
    format: FormatId | None = None
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100

    def question(self) -> Question:
        """What the sweep is asked. BadInput for a value it cannot take."""
        given = self.model_dump(exclude={"on", "model"}, exclude_none=True)
        return Question(**given).checked()

    def check(self, settings: Settings) -> None:
        """BadInput where nothing is named, or more than this service may read or sweep."""
        if self.on is None and self.model is None:
            raise BadInput("neither a model nor hardware is named", fix=HOW)
        if self.on is not None:
            check_hardware(self.on)
            check_count(self.on, settings.max_accelerators)
        if self.model is not None:
            check_model(self.model, settings)


@lru_cache(maxsize=ANSWERS_KEPT)
def swept(asked: FitsQuestion) -> Answer:
    """The answer to a question; the catalogue does not change while a service runs."""
    from planner.fits.on_hardware import all_fits, best_fits, outcome_on
    from planner.hardware.resolving import resolve_hardware

    if asked.on is None:
        return _everywhere(asked).answer()
    models, question = _models(asked.model), asked.question()
    place = resolve_hardware(asked.on)
    if asked.model is None:
        return best_fits(place, models, question)
    return all_fits(outcome_on(place, models, question))


@lru_cache(maxsize=ANSWERS_KEPT // 4)
def picture(asked: FitsQuestion) -> str:
    """The heat map of a question, as SVG."""
    from planner.fits.heat_map import accelerator_map, model_map
    from planner.fits.on_hardware import outcome_on
    from planner.hardware.resolving import resolve_hardware

    if asked.on is None:
        return accelerator_map(_everywhere(asked), "users").svg()
    outcome = outcome_on(resolve_hardware(asked.on), _models(asked.model), asked.question())
    return model_map(outcome, "users").svg()


@lru_cache(maxsize=SWEEPS_KEPT)
def _everywhere(asked: FitsQuestion) -> Everywhere:
    """The sweep of one model over all accelerators, which the page and its picture both show."""
    from planner.fits.over_accelerators import everywhere

    (model,) = _models(asked.model)
    return everywhere(model, asked.question())


def _models(name: str | None) -> tuple[Model, ...]:
    from planner.models.resolving import resolve_model

    return (resolve_model(name),) if name else _catalogue()


@lru_cache(maxsize=1)
def _catalogue() -> tuple[Model, ...]:
    """Every model of the catalogue, the same objects every time: what is known of their weights stays with them."""
    from planner.models.catalogue import entries, model_of

    return tuple(model_of(entry) for entry in entries())


def check_count(on: str, most: int) -> None:
    """BadInput for more accelerators than one question may sweep."""
    digits = on.strip().lower().split("x", 1)[0]
    if digits.isdigit() and int(digits[:9]) > most:
        raise BadInput(f"{digits[:20]} accelerators: one question takes at most {most}", fix="ask for fewer")


def as_plain(answer: Answer) -> dict[str, Any]:
    """The answer as plain values."""
    from planner.fits.writing import as_json

    return as_json(answer)
