"""What the rule book would do in a place, and which candidate of the sweep that is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from planner.catalog import load_yaml
from planner.fits.arrays import Ints
from planner.frontier.places import Place
from planner.frontier.sweeping import Swept
from planner.models.model import Model
from planner.planning.assessing import Assessed, Assessor
from planner.planning.choosing import Chooser
from planner.planning.deciding import Deliberation
from planner.planning.facts import gather_facts
from planner.request import Request
from rules.book import Book


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """The tree's choice in a place, and its number among the candidates; None where the sweep has none like it.

    `best_number` is the same with the batch limit that is best by the objective and meets the targets, if one does.
    """

    place: Place
    chosen: Assessed
    number: int | None
    best_number: int | None


def rule_choice(swept: Swept, model: Model, place: Place, book: Book) -> RuleChoice | None:
    """The book's choice there, on as few accelerators as it holds on; None where the book finds nothing that holds."""
    counts = (place.hardware.count,) if place.whole else load_yaml("frontier.yaml")["counts"]
    asked = swept.request.model_copy(update={"objective": "tree"})
    for count in counts:
        chosen = _chosen(model, place, asked, book, count)
        if chosen is not None:
            numbers = _numbers(swept, place, chosen)
            planned = -(-swept.request.workload.concurrency // chosen.layout.replicas)
            return RuleChoice(place, chosen, _nearest(swept, numbers, planned), _best(swept, numbers))
    return None


def _chosen(model: Model, place: Place, request: Request, book: Book, count: int) -> Assessed | None:
    """Service levels are the frontier's to judge: the tree is asked for what it would do without them."""
    hardware = replace(place.hardware, count=count)
    free = request.model_copy(update={"service_level": type(request.service_level)()})
    deliberation = Deliberation(book, gather_facts(model, hardware, free), free)
    return Chooser(deliberation, Assessor(model, hardware, free)).choose()


def _numbers(swept: Swept, place: Place, chosen: Assessed) -> Ints:
    """The candidates with the same format, engine, cache and layout, by batch limit."""
    choice = chosen.choice
    wanted = (choice.format, choice.engine, choice.kv_cache, chosen.layout.tensor_parallel)
    same = [
        number
        for number, run in enumerate(swept.runs)
        if run.place is place
        and (run.offer.format, run.offer.engine, run.offer.kv_format, run.tensor_parallel) == wanted
    ]
    return np.flatnonzero(np.isin(swept.which, same) & swept.known)


def _nearest(swept: Swept, numbers: Ints, planned: int) -> int | None:
    return int(numbers[np.argmin(np.abs(swept.batch[numbers] - planned))]) if numbers.size else None


def _best(swept: Swept, numbers: Ints) -> int | None:
    meeting = numbers[swept.meets[numbers]]
    return int(swept.ranked(meeting)[0]) if meeting.size else None
