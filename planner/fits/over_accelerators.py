"""On which accelerators a model fits: for each type the fewest that hold it, ranked by what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.errors import BadInput
from planner.fits.arrays import Ints
from planner.fits.candidates import Columns, Fleet, Offer, offers
from planner.fits.choosing import Outcome
from planner.fits.fit import Fit
from planner.fits.on_hardware import Answer, Counts, is_other_offer, is_server_offer
from planner.fits.question import Question
from planner.fits.settings import accelerator_counts
from planner.fits.sweep import sweep
from planner.hardware.catalogue import known_accelerators
from planner.hardware.hardware import Accelerator, Hardware
from planner.models.model import Model
from planner.prices import find_price

ALONE = "unified"
NOT_THERE = -1


@dataclass(frozen=True, slots=True)
class Everywhere:
    """One model over all accelerators: what was swept, per accelerator and number of them."""

    model: Model
    question: Question
    outcomes: tuple[Outcome, ...]

    def answer(self, *, everything: bool = False) -> Answer:
        """The fewest of each accelerator that hold the model, cheapest first; `everything`: every candidate."""
        chosen = [fit for outcome in self.outcomes for fit in _fits_of(outcome, everything)]
        fitting = {outcome.hardware.accelerator for outcome in self.outcomes if outcome.best().size}
        tried = {outcome.hardware.accelerator for outcome in self.outcomes}
        candidates = sum(len(outcome.columns) for outcome in self.outcomes)
        counts = Counts(candidates, len(tried), len(fitting))
        found = sorted(chosen, key=_by_price)[: self.question.limit]
        return Answer(self.question, self.model.name, tuple(found), counts, self.model.assumptions)


def everywhere(model: Model, question: Question) -> Everywhere:
    """Sweep one model over every accelerator: 1, 2, 4, 8 of each until one number of them holds it.

    BadInput where the model was made for shorter contexts than asked, or nothing has a kernel for what was asked.
    """
    least = question.checked().least_context(model)
    if model.shape.max_context_tokens < least:
        longest = model.shape.max_context_tokens
        raise BadInput(
            f"{model.name} was made for {longest:,} tokens, not {least:,}", fix=f"ask for at most {longest} tokens"
        )
    outcomes = _outcomes(Fleet((model,)), question)
    if not outcomes:
        wanted = " and ".join(name for name in (question.engine, question.format) if name)
        raise BadInput(f"no accelerator has a kernel for {wanted}", fix="leave out --engine or --format")
    return Everywhere(model, question, outcomes)


def _outcomes(fleet: Fleet, question: Question) -> tuple[Outcome, ...]:
    """The sweeps of each accelerator, up to the number that holds the model: first with the engines that batch."""
    found: dict[str, list[Outcome]] = {gpu.name: [] for gpu in known_accelerators()}
    left = known_accelerators()
    for stage in (is_server_offer, is_other_offer):
        offered = {gpu.name: _offered(gpu, question, stage) for gpu in left}
        for count in accelerator_counts():
            trying = [gpu for gpu in left if offered[gpu.name] and count in _counts(gpu)]
            for outcome in _swept_together(fleet, [_several(gpu, count) for gpu in trying], question, offered):
                assert outcome.hardware.accelerator is not None
                found[outcome.hardware.accelerator.name].append(outcome)
            left = tuple(gpu for gpu in left if not found[gpu.name] or not found[gpu.name][-1].best().size)
    return tuple(outcome for outcomes in found.values() for outcome in outcomes)


def _swept_together(
    fleet: Fleet, places: Sequence[Hardware], question: Question, offered: Mapping[str, tuple[Offer, ...]]
) -> Iterator[Outcome]:
    """One sweep over places of as many accelerators each, told apart again by place."""
    if not places:
        return
    several = [offered[place.accelerator.name] for place in places if place.accelerator]
    every = {_way(offer): offer for offers_there in several for offer in offers_there}
    contexts = [question.context_of(model) for model in fleet.models]
    columns = sweep(fleet, places, tuple(every.values()), contexts, question.users)
    by_place = np.argsort(columns.place, kind="stable")
    bounds = np.searchsorted(columns.place[by_place], np.arange(len(places) + 1))
    for number, (place, there) in enumerate(zip(places, several, strict=True)):
        rows = columns.rows(by_place[bounds[number] : bounds[number + 1]])
        numbers = {_way(offer): n for n, offer in enumerate(there)}
        offers_there = np.array([numbers.get(way, NOT_THERE) for way in every], dtype=np.int64)
        yield Outcome(fleet, place, question, there, _renumbered(rows, offers_there))


def _way(offer: Offer) -> tuple[str, str, str]:
    """What memory depends on; kernels for the same format differ by accelerator."""
    return offer.format, offer.engine, offer.kv_format


def _renumbered(columns: Columns, numbers: Ints) -> Columns:
    """The candidates of what one place offers, numbered as it numbers them."""
    renumbered = replace(columns, offer=numbers[columns.offer])
    return renumbered.rows(renumbered.offer >= 0)


def _offered(gpu: Accelerator, question: Question, stage: Callable[[Offer], bool]) -> tuple[Offer, ...]:
    return tuple(offer for offer in offers(_several(gpu, 1)) if stage(offer) and _asked_for(offer, question))


def _counts(gpu: Accelerator) -> tuple[int, ...]:
    """Machines with unified memory stand alone."""
    return (1,) if gpu.interconnect == ALONE else accelerator_counts()


def _several(gpu: Accelerator, count: int) -> Hardware:
    return Hardware(label=f"{count}x{gpu.name}", accelerator=gpu, count=count)


def _asked_for(offer: Offer, question: Question) -> bool:
    return question.engine in (None, offer.engine) and question.format in (None, offer.format)


def _fits_of(outcome: Outcome, everything: bool) -> Iterator[Fit]:
    for number in outcome.order if everything else outcome.best():
        yield _priced(outcome.fit(int(number)), outcome.hardware)


def _priced(fit: Fit, hardware: Hardware) -> Fit:
    line = find_price(hardware.accelerator.name) if hardware.accelerator else None
    if line is None:
        return fit
    source = f"{line.provider}, {line.price_type}, {line.as_of}"
    return replace(fit, usd_per_hour=line.usd_per_hour * hardware.count, price_source=source)


def _by_price(fit: Fit) -> tuple[bool, float, int, str]:
    """Those with a known price first."""
    return fit.usd_per_hour is None, fit.usd_per_hour or 0.0, fit.accelerators, fit.hardware
