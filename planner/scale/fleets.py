"""A day of a whole fleet: every model's copies under its own day of traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from planner.fleet.answering import FleetPlan
from planner.fleet.plans import parts_of, plan_of
from planner.scale.answering import Question, Simulated, simulate_plan
from planner.scale.trace import Trace


def simulate_fleet(answer: FleetPlan, traces: Mapping[str, Trace], question: Question | None = None) -> list[Simulated]:
    """One day for each model on each kind of node, which gets its part of the model's load.

    Copies scale between the model's least number and those planned. `traces`: requests a second by model. BadInput for
    copies in stages, which cannot be simulated step by step.
    """
    found = []
    for part in parts_of(answer):
        whole = answer.carried_per_s(part.served)
        share = part.copies * part.option.requests_per_s / whole
        trace = traces[part.served.label]
        asked = replace(
            question or Question(),
            least=max(1, min(part.copies, round(part.served.min_replicas * share))),
            most=part.copies,
        )
        own = replace(trace, requests_per_s=trace.requests_per_s * share)
        found.append(simulate_plan(plan_of(answer, part), own, asked, part.name))
    return found
