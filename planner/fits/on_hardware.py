"""What fits on this hardware: the whole catalogue, swept and ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from planner.errors import BadInput
from planner.fits.arrays import Ints
from planner.fits.candidates import Fleet, Offer, fleet_of, offers
from planner.fits.choosing import Outcome
from planner.fits.fit import Fit
from planner.fits.offloaded import offloaded_fits
from planner.fits.question import Question, selected
from planner.fits.settings import is_server
from planner.fits.sweep import sweep
from planner.hardware.hardware import Hardware
from planner.models.model import Model


@dataclass(frozen=True, slots=True)
class Counts:
    """How many models (or accelerators) and candidates were swept; how many fit, and why the others do not.

    `advised_against`: what holds the load is vetoed by the rule book; `too_short`: made for shorter contexts;
    `offloaded`: held with part of the model in the host's memory.
    """

    candidates: int
    models: int
    fitting: int
    advised_against: int = 0
    too_short: int = 0
    offloaded: int = 0

    @property
    def without_room(self) -> int:
        return self.models - self.fitting - self.advised_against - self.too_short - self.offloaded


@dataclass(frozen=True, slots=True)
class Answer:
    """The ranked candidates, the hardware they are on, and the counts behind them."""

    question: Question
    hardware: str
    fits: tuple[Fit, ...]
    counts: Counts
    notes: tuple[str, ...] = ()


def best_fits(hardware: Hardware, models: Sequence[Model], question: Question) -> Answer:
    """The best candidate of each model that holds the load, the largest model first.

    Engines that batch are preferred wherever one holds the load, so the others are only swept for the models left over.
    """
    fleet, offered = _fleet(models, question), offered_for(hardware, question)
    outcomes: list[Outcome] = []
    numbers: list[Ints] = []
    left = fleet
    for stage in (is_server_offer, is_other_offer):
        offers_now = tuple(filter(stage, offered))
        if not offers_now or not left.models:
            continue
        outcome = outcome_of(left, hardware, question, offers_now)
        outcomes.append(outcome)
        numbers.append(outcome.best())
        held = set(outcome.columns.model[numbers[-1]].tolist())
        left = fleet_of([model for n, model in enumerate(left.models) if n not in held])
    found = [outcome.fit(int(n)) for outcome, best in zip(outcomes, numbers, strict=True) for n in best]
    found.sort(key=lambda fit: -fit.params_b)
    split = sorted(offloaded_fits(left.models, hardware, question), key=lambda fit: -fit.params_b)
    return _answer(
        hardware, question, [*found, *split], replace(counts_of(outcomes, len(fleet.models)), offloaded=len(split))
    )


def all_fits(outcome: Outcome) -> Answer:
    """Every candidate, the largest model first, and for each model the best first."""
    question, limit = outcome.question, outcome.question.limit
    found = [outcome.fit(int(number)) for number in outcome.order[:limit]]
    models = outcome.fleet.models
    held = {fit.model for fit in found if fit.fits and not fit.reason}
    split = list(offloaded_fits((model for model in models if model.name not in held), outcome.hardware, question))
    guesses = models[0].assumptions if len(models) == 1 else ()
    counts = replace(counts_of([outcome], len(models)), offloaded=len(split))
    return _answer(outcome.hardware, question, [*split, *found], counts, guesses)


def outcome_on(hardware: Hardware, models: Sequence[Model], question: Question) -> Outcome:
    """The whole sweep. BadInput for a question that makes no sense, or for which nothing has a kernel here."""
    return outcome_of(_fleet(models, question), hardware, question, offered_for(hardware, question))


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


def is_server_offer(offer: Offer) -> bool:
    return is_server(offer.engine)


def is_other_offer(offer: Offer) -> bool:
    return not is_server(offer.engine)


def _fleet(models: Sequence[Model], question: Question) -> Fleet:
    fleet = fleet_of(selected(models, question.checked()))
    if not fleet.models:
        raise BadInput("no model of the catalogue passes the filters", fix="leave out --family or --task")
    return fleet


def outcome_of(fleet: Fleet, hardware: Hardware, question: Question, offered: tuple[Offer, ...]) -> Outcome:
    """The sweep of these models with these offers."""
    contexts = [question.context_of(model) for model in fleet.models]
    return Outcome(fleet, hardware, question, offered, sweep(fleet, (hardware,), offered, contexts, question.users))


def counts_of(outcomes: Sequence[Outcome], models: int) -> Counts:
    """What the sweeps of one question found together."""
    fitting = {name for outcome in outcomes for name in outcome.names(outcome.holds & ~outcome.is_avoided)}
    holding = {name for outcome in outcomes for name in outcome.names(outcome.holds)}
    short = {name for outcome in outcomes for name in outcome.made_for_less()}
    candidates = sum(len(outcome.columns) for outcome in outcomes)
    return Counts(candidates, models, len(fitting), len(holding - fitting), len(short))


def _answer(
    hardware: Hardware, question: Question, found: Sequence[Fit], counts: Counts, guesses: tuple[str, ...] = ()
) -> Answer:
    return Answer(question, hardware.label, tuple(found[: question.limit]), counts, (*hardware.notes, *guesses))
