"""A day of a whole fleet: every model's copies under its own day of traffic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from planner.fleet.answering import FleetPlan
from planner.fleet.plans import Part, parts_of, plan_of
from planner.plan import Plan
from planner.scale.answering import Question, Simulated, curve_for, simulate_plan
from planner.scale.curve import Curve
from planner.scale.trace import Trace


@dataclass(frozen=True, slots=True)
class Serving:
    """One model's copies on one kind of node: their plan, steady states, and `share` of the model's load."""

    part: Part
    plan: Plan
    curve: Curve
    share: float


def servings_of(answer: FleetPlan, question: Question) -> tuple[Serving, ...]:
    """All copies of the fleet, ready for any number of days, but for those that are `left_out`."""
    return tuple(_servings(answer, question))


def left_out(answer: FleetPlan) -> tuple[str, ...]:
    """Copies in stages: they are not simulated step by step."""
    return tuple(part.name for part in parts_of(answer) if part.option.pipeline_parallel > 1)


def _servings(answer: FleetPlan, question: Question) -> Iterator[Serving]:
    for part in parts_of(answer):
        if part.option.pipeline_parallel > 1:
            continue
        plan = plan_of(answer, part)
        share = part.copies * part.option.requests_per_s / answer.carried_per_s(part.served)
        yield Serving(part, plan, curve_for(plan, question), share)


def simulate_fleet(
    servings: tuple[Serving, ...], traces: Mapping[str, Trace], question: Question
) -> tuple[Simulated, ...]:
    """One day for each model on each kind of node. `traces`: requests a second, by model.

    Copies scale between the model's least number and those planned.
    """
    return tuple(_day(serving, traces[serving.part.served.label], question) for serving in servings)


def _day(serving: Serving, trace: Trace, question: Question) -> Simulated:
    part, share = serving.part, serving.share
    least = max(1, min(part.copies, round(part.served.min_replicas * share)))
    asked = replace(question, least=least, most=part.copies)
    own = trace.with_peak(trace.peak_per_s * share)
    return simulate_plan(serving.plan, own, asked, part.name, serving.curve)
