"""`quantplan plan --frontier`: the door. From a request and hardware names to the Pareto set and what to say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice

import numpy as np

from planner.costs.formula import SECONDS_PER_HOUR, usd_per_month
from planner.figures import figure, usd
from planner.fits.arrays import Floats, Ints
from planner.frontier.places import Place, places
from planner.frontier.point import Point, Standing
from planner.frontier.rule_choice import RuleChoice, rule_choice
from planner.frontier.runs import all_runs
from planner.frontier.sweeping import Swept, swept
from planner.models.model import Model
from planner.models.resolving import resolve_model
from planner.quality import AS_PUBLISHED, expected_quality
from planner.request import Request
from planner.schemes import scheme
from planner.unfeasible import NoFeasiblePlan
from rules.book import Book, load_book

MOST_RULE_CHOICES = 4
FULL_RECOVERY_PERCENT = 100.0


@dataclass(frozen=True)
class Frontier:
    """The swept question with its Pareto set and the rule book's choices."""

    model: Model
    swept: Swept
    rule_choices: tuple[RuleChoice, ...]

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The Pareto set, best by the objective first."""
        return tuple(self.point(int(n)) for n in self.swept.order)

    @cached_property
    def avoided(self) -> tuple[Point, ...]:
        """What would stand in the set if no rule advised against it."""
        numbers = self.swept.ranked(np.flatnonzero(self.swept.avoided_in_set))
        return tuple(self.point(int(n)) for n in numbers)

    @cached_property
    def choices(self) -> tuple[Point, ...]:
        """The rule book's choices, wherever they stand."""
        numbers = dict.fromkeys(choice.number for choice in self.rule_choices if choice.number is not None)
        return tuple(self.point(number) for number in numbers)

    @cached_property
    def _rule_numbers(self) -> frozenset[int | None]:
        return frozenset(choice.number for choice in self.rule_choices)

    def point(self, number: int) -> Point:
        """One candidate in words and plain numbers."""
        found, run = self.swept, self.swept.runs[self.swept.which[number]]
        speeds, rate = found.speeds, float(found.tokens_per_s[number])
        quality, recovery = self._quality(run.offer.format)
        replicas, hourly = int(found.replicas[number]), float(found.usd_per_hour[number])
        load = found.request.workload.requests_per_s
        return Point(
            hardware=f"{run.tensor_parallel * replicas}x{run.place.name}",
            accelerator=run.place.name,
            accelerators=run.tensor_parallel * replicas,
            format=run.offer.format,
            engine=run.offer.engine,
            kernel=run.offer.kernel.name,
            kv_cache=run.offer.kv_format,
            tensor_parallel=run.tensor_parallel,
            replicas=replicas,
            batch=int(found.batch[number]),
            ttft_ms=float(speeds.ttft_ms[number]),
            tpot_ms=float(speeds.tpot_ms[number]),
            tpot_low_ms=float(speeds.tpot_low_ms[number]),
            tpot_high_ms=float(speeds.tpot_high_ms[number]),
            output_tokens_per_s=rate,
            usd_per_hour=hourly,
            usd_per_1m_output_tokens=float(found.usd_per_1m[number]),
            usd_per_1m_low=float(self._usd_per_1m_of_the_fastest[number]),
            usd_per_1m_high=float(self._usd_per_1m_of_the_slowest[number]),
            usd_per_request=hourly / (load * SECONDS_PER_HOUR) if load else None,
            usd_per_month=usd_per_month(hourly) if load else None,
            busy=min(1.0, load * found.request.workload.output_tokens / rate) if load else None,
            quality=quality,
            recovery_percent=recovery,
            price=run.place.hourly.label,
            standing=self._standing(number),
            reason=run.place.rule_against(run.offer),
            is_best=bool(len(found.order)) and number == int(found.order[0]),
            is_rule_choice=number in self._rule_numbers,
        )

    @cached_property
    def _usd_per_1m_of_the_fastest(self) -> Floats:
        return self.swept.usd_per_1m_at(self.swept.speeds.tokens_per_s_high)

    @cached_property
    def _usd_per_1m_of_the_slowest(self) -> Floats:
        return self.swept.usd_per_1m_at(self.swept.speeds.tokens_per_s_low)

    def _quality(self, format: str) -> tuple[str, float | None]:
        if format == self.model.stored_format and scheme(format).is_quantized:
            return AS_PUBLISHED, FULL_RECOVERY_PERCENT
        known = expected_quality(scheme(format).id, self.model.shape.params_b)
        return known.phrase, known.recovery_percent

    def _standing(self, number: int) -> Standing:
        if self.swept.avoided[number]:
            return "avoided"
        if self.swept.in_set[number]:
            return "in the set"
        if not self.swept.meets[number]:
            return "misses targets"
        return "only a bound" if self.swept.only_bounds[number] else "beaten"

    @cached_property
    def disagreement(self) -> str:
        """One sentence: whether the decision tree and the numbers choose alike; empty where the tree has no choice."""
        if not self.rule_choices or not self.points:
            return ""
        best = self.points[0]
        choice = next((c for c in self.rule_choices if c.place.name == best.accelerator), self.rule_choices[0])
        objective = "cost" if self.swept.request.objective == "tree" else self.swept.request.objective
        if choice.number is None:
            tree = f"{choice.chosen.format} on {choice.chosen.engine}"
            return f"The decision tree chooses {tree} on {choice.place.name}, which this sweep does not hold."
        ours = self.point(choice.number if choice.best_number is None else choice.best_number)
        if ours.configuration == best.configuration:
            return f"The decision tree and the numbers agree on {_words(best)}."
        missed = ", which misses the targets at any batch limit," if choice.best_number is None else ""
        return (
            f"The decision tree chooses {_figures(ours)}{missed}; by {objective} the numbers choose {_figures(best)}."
        )


def make_frontier(request: Request, labels: Sequence[str], *, book: Book | None = None) -> Frontier:
    """The Pareto set for a model on the named hardware, or on `any`.

    BadInput: the question is malformed. NoFeasiblePlan: nothing fits, or nothing meets the targets.
    """
    model, rules = resolve_model(request.model), book or load_book()
    found = places(model, labels, request, rules)
    runs = all_runs(model, found, request)
    if not runs:
        raise NoFeasiblePlan(
            f"{model.name} fits nowhere of {', '.join(labels)}",
            fix="name larger or more accelerators, or --on any; `quantplan fits MODEL` lists what holds it",
        )
    candidates = swept(model, runs, request)
    if not candidates.order.size:
        raise _nothing(candidates, model)
    return Frontier(model, candidates, _rule_choices(candidates, model, rules))


def _rule_choices(candidates: Swept, model: Model, book: Book) -> tuple[RuleChoice, ...]:
    """For the places of the set that come first by the objective, then for others that were named."""
    in_set = (candidates.runs[candidates.which[number]].place for number in candidates.order)
    named = (run.place for run in candidates.runs if run.place.whole)
    found: dict[str, Place] = {}
    for place in chain(in_set, named):
        found.setdefault(place.hardware.label, place)
    choices = (rule_choice(candidates, model, place, book) for place in islice(found.values(), MOST_RULE_CHOICES))
    return tuple(choice for choice in choices if choice is not None)


def _nothing(candidates: Swept, model: Model) -> NoFeasiblePlan:
    """Why the set is empty: rules, unknown speeds, or targets, with the nearest that there is."""
    allowed = np.flatnonzero(candidates.known & ~candidates.avoided)
    if not allowed.size:
        return NoFeasiblePlan(
            f"no candidate for {model.name} that the rules allow and whose speed is known",
            fix="name other hardware, or insist on a --format",
        )
    if not candidates.serves[allowed].any():
        return _too_much(candidates, model, float(np.max(candidates.tokens_per_s[allowed])))
    level, speeds = candidates.request.service_level, candidates.speeds
    allowed = np.flatnonzero(candidates.known & candidates.serves & ~candidates.avoided)
    said, wanted = [], []
    for option, name, target, values in (
        ("--ttft-ms", "time to first token", level.ttft_ms, speeds.ttft_ms),
        ("--tpot-ms", "time per output token", level.tpot_ms, speeds.tpot_ms),
    ):
        if target is not None:
            least = float(np.min(values[allowed]))
            said.append(f"{name} {target:g} ms (the least is {figure(least)})")
            wanted.append(f"{option} {_rounded_up(least)}")
    return NoFeasiblePlan(
        f"none of {allowed.size:,} candidates for {model.name} meets {' and '.join(said)}",
        fix=f"ask for {' or '.join(wanted)} at least, not both at their least; or name faster hardware",
    )


def _too_much(candidates: Swept, model: Model, most_tokens_per_s: float) -> NoFeasiblePlan:
    """The load is above what the named machines make."""
    workload, busy = candidates.request.workload, candidates.request.price.utilisation
    most = most_tokens_per_s * busy / workload.output_tokens
    return NoFeasiblePlan(
        f"none of {len(candidates):,} candidates for {model.name} serves {workload.requests_per_s:g} requests/s "
        f"(the most is {figure(most)}, {busy:.0%} busy)",
        fix="name more accelerators, or --on any, which takes as many copies as the load needs",
    )


def _rounded_up(value: float) -> str:
    return f"{-(-value // 1):.0f}"


def _words(point: Point) -> str:
    layout = f"TP {point.tensor_parallel}" + (f" x{point.replicas}" if point.replicas > 1 else "")
    return f"{point.format} on {point.engine}, {point.kv_cache} KV, {layout}, {point.hardware}"


def _figures(point: Point) -> str:
    dollars, delay = usd(point.usd_per_1m_output_tokens), figure(point.tpot_ms)
    return f"{_words(point)} with {point.batch} in flight ({dollars} per 1M output tokens, {delay} ms a token)"


def sampled(candidates: Swept, most: int) -> Ints:
    """Numbers of candidates whose speed is known, evenly taken, at most so many."""
    known = np.flatnonzero(candidates.known)
    return known[:: max(1, -(-len(known) // most))]
