"""A plan for an open load: what is chosen meets the targets at their percentile where anything here does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from planner.errors import BadInput
from planner.plan import Plan
from planner.planning.assessing import Assessed
from planner.planning.lengths import within_context
from planner.planning.pipeline import Settled, asked_about, drawn_up, settle
from planner.request import Request, ServiceLevel
from rules.book import Book, load_book

MOST_SIMULATED = 8


def plan_under_load(request: Request, *, book: Book | None = None) -> Plan:
    """`make_plan`, and where requests arrive at a rate what it comes to; BadInput and NoFeasiblePlan as there.

    With targets at a percentile (or at the mean of an open load) a way that misses them at that rate gives way to the
    first that meets them: another split, what the book falls back to, then the other formats. Where none does the
    rules' choice stays, and a note says so.
    """
    book, (model, hardware) = book or load_book(), asked_about(request)
    request, shortened = within_context(request, model)
    settled = settle(model, hardware, request, book)
    plan = drawn_up(settled, shortened)
    if request.workload.requests_per_s is None:
        return plan
    from planner.serving.outlook import with_outlook

    if _has_target(request.service_level) and _misses(plan):
        plan = _steered(settled, plan, shortened)
    return with_outlook(plan)


def _has_target(level: ServiceLevel) -> bool:
    return level.ttft_ms is not None or level.tpot_ms is not None


def _misses(plan: Plan) -> bool:
    """Whether the simulation says so; what cannot be simulated misses nothing that is known."""
    from planner.serving.capacity import capacity_per_s
    from planner.serving.from_plan import server_of
    from planner.serving.outlook import targets_of, traffic_of
    from planner.serving.simulating import simulate

    rate = plan.request.workload.requests_per_s
    assert rate is not None
    try:
        server = server_of(plan)
    except BadInput:
        return False
    traffic = traffic_of(plan, rate)
    if rate / plan.chosen.replicas > capacity_per_s(server, traffic):
        return True
    return not targets_of(plan).met_by(simulate(server, traffic))


def _steered(settled: Settled, plan: Plan, warnings: tuple[str, ...]) -> Plan:
    """The first other way that meets the targets under the load; the plan itself, with a note, where there is none."""
    level, tried = plan.request.service_level, 0
    at = "on average" if level.percentile == "mean" else f"at the {level.percentile[1:]}th percentile"
    load = f"at {plan.request.workload.requests_per_s:g} requests/s"
    for way in _other_ways(settled):
        tried += 1
        other = drawn_up(replace(settled, chosen=way, neighbours=_beside(settled, way)), warnings)
        if not _misses(other):
            was, now = _named(settled.chosen), _named(way)
            note = f"The rules chose {was}, which misses the targets {at} {load}; {now} meets them."
            return other.model_copy(update={"notes": (note, *other.notes)}).sealed()
        if tried == MOST_SIMULATED:
            break
    note = f"Nothing that was simulated here meets the targets {at} {load} ({tried + 1} ways)."
    return plan.model_copy(update={"notes": (note, *plan.notes)}).sealed()


def _other_ways(settled: Settled) -> Iterator[Assessed]:
    """Other splits of what was chosen, what the book falls back to, and the rest by rank; none that a rule vetoes."""
    chooser, assessor, chosen = settled.chooser, settled.assessor, settled.chosen
    splits = (assessor.assess(chosen.choice, layout) for layout in assessor.layouts if layout != chosen.layout)
    insisted = assessor.request.format is not None
    after = () if insisted else settled.deliberation.after(chosen.choice, "service-level")
    fallbacks = (chooser.marked(chooser.best_layout(choice)) for choice in after)
    seen = {(chosen.choice, chosen.layout)}
    for way in (*splits, *fallbacks, *(() if insisted else settled.neighbours)):
        key = way.choice, way.layout
        if way.verdict == "feasible" and key not in seen:
            seen.add(key)
            yield way


def _beside(settled: Settled, way: Assessed) -> tuple[Assessed, ...]:
    """The neighbours of another choice: what the rules chose comes first."""
    others = (each for each in settled.neighbours if each.format != way.format)
    return (settled.chosen, *others) if settled.chosen.format != way.format else tuple(others)


def _named(way: Assessed) -> str:
    split = f" split over {way.layout.tensor_parallel}" if way.layout.tensor_parallel > 1 else ""
    return f"{way.format}{split}"
