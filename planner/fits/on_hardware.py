"""What fits on this hardware: the whole catalogue, swept and ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.errors import BadInput
from planner.fits.choosing import Outcome
from planner.fits.fit import Fit
from planner.fits.question import Question, selected
from planner.fits.sweep import Fleet, Offer, offers, sweep
from planner.hardware.hardware import Hardware
from planner.models.model import Model


@dataclass(frozen=True, slots=True)
class Counts:
    """How many models and candidates were swept, and how many models hold the load."""

    candidates: int
    models: int
    fitting: int
    too_short: int

    @property
    def too_large(self) -> int:
        return self.models - self.fitting - self.too_short


@dataclass(frozen=True, slots=True)
class Answer:
    """The ranked candidates, the hardware they are on, and the counts behind them."""

    question: Question
    hardware: str
    fits: tuple[Fit, ...]
    counts: Counts
    notes: tuple[str, ...] = ()


def outcome_on(hardware: Hardware, models: Sequence[Model], question: Question) -> Outcome:
    """The whole sweep. BadInput for a question that makes no sense, or for which nothing has a kernel here."""
    fleet = Fleet(selected(models, question.checked()))
    if not fleet.models:
        raise BadInput(
            "no model of the catalogue passes the filters",
            fix="leave out --family or --task",
        )
    offered = offered_for(hardware, question)
    contexts = [question.context_of(model) for model in fleet.models]
    return Outcome(fleet, hardware, question, offered, sweep(fleet, hardware, offered, contexts, question.users))


def offered_for(hardware: Hardware, question: Question) -> tuple[Offer, ...]:
    """What can run here of what was asked for."""
    everything = offers(hardware)
    found = tuple(
        offer
        for offer in everything
        if question.engine in (None, offer.engine) and question.format in (None, offer.format)
    )
    if found:
        return found
    wanted = " and ".join(name for name in (question.engine, question.format) if name) or "any engine"
    engines = dict.fromkeys(offer.engine for offer in everything)
    raise BadInput(
        f"no kernel for {wanted} on {hardware.label}",
        fix=f"engines with kernels there: {', '.join(engines)}" if engines else "name other hardware",
    )


def answer(outcome: Outcome, *, everything: bool = False) -> Answer:
    """The best candidate of each model that holds the load; `everything`: every candidate, the best first."""
    best = outcome.best()
    chosen = outcome.order if everything else best
    limit = outcome.question.limit
    fits = tuple(outcome.fit(int(number)) for number in (chosen[:limit] if limit else chosen))
    return Answer(outcome.question, outcome.hardware.label, fits, counts(outcome, len(best)), outcome.hardware.notes)


def counts(outcome: Outcome, fitting: int) -> Counts:
    question, models = outcome.question, outcome.fleet.models
    short = sum(model.shape.max_context_tokens < question.least_context(model) for model in models)
    return Counts(len(outcome.columns), len(models), fitting, int(np.sum(short)))
