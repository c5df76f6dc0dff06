"""A plan for an open load: what is chosen meets the targets at their percentile where anything here does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice

from planner.errors import BadInput
from planner.plan import Plan
from planner.planning.assessing import Assessed
from planner.planning.at_once import enough_at_once
from planner.planning.lengths import within_context
from planner.planning.operating import LARGEST_CONCURRENCY
from planner.planning.pipeline import Settled, asked_about, drawn_up, settle
from planner.request import Request, ServiceLevel, Workload
from rules.book import Book, load_book

MOST_SIMULATED = 12
USUAL_TOKENS = 2000  # of a request, of which so many ways are simulated; of longer ones, which take longer, fewer


def plan_under_load(request: Request, *, book: Book | None = None) -> Plan:
    """`make_plan`, and where requests arrive at a rate what it comes to; BadInput and NoFeasiblePlan as there.

    As many requests are let in at once as the rate takes, unless their number was stated. A choice that misses the
    targets at that rate gives way to the first that meets them: the same with still more let in, another split, what
    the book falls back to, then the other formats. Where none does the rules' choice stays, and a note says so.
    """
    book, (model, hardware) = book or load_book(), asked_about(request)
    request, shortened = within_context(request, model)
    settled, rate = settle(model, hardware, request, book), request.workload.requests_per_s
    if rate is None:
        return drawn_up(settled, shortened)
    from planner.serving.outlook import with_outlook

    stated = "concurrency" in request.workload.model_fields_set
    if not stated and (at_once := enough_at_once(settled, rate)):
        workload = request.workload.model_copy(update={"concurrency": at_once})
        settled = settle(model, hardware, request.model_copy(update={"workload": workload}), book)
    plan = drawn_up(settled, shortened)
    if _has_target(request.service_level) and _meets(plan) is False:
        more_let_in = () if stated else _with_more_let_in(settled)
        plan = _steered(plan, settled, chain(more_let_in, _other_ways(settled)), shortened)
    return with_outlook(plan)


def _has_target(level: ServiceLevel) -> bool:
    return level.ttft_ms is not None or level.tpot_ms is not None


def _meets(plan: Plan) -> bool | None:
    """Whether the simulation says that the targets are met under the load; None where it cannot say."""
    from planner.serving.capacity import capacity_per_s
    from planner.serving.from_plan import server_of
    from planner.serving.outlook import targets_of, traffic_of
    from planner.serving.simulating import simulate

    rate = plan.request.workload.requests_per_s
    assert rate is not None
    try:
        server = server_of(plan)
    except BadInput:
        return None
    traffic = traffic_of(plan, rate)
    if rate / plan.chosen.replicas > capacity_per_s(server, traffic):
        return False
    return targets_of(plan).met_by(simulate(server, traffic))


def _steered(plan: Plan, settled: Settled, ways: Iterable[Settled], warnings: tuple[str, ...]) -> Plan:
    """The first other way that meets the targets under the load; the plan itself, with a note, where there is none."""
    level, tried = plan.request.service_level, 1
    at = "on average" if level.percentile == "mean" else f"at the {level.percentile[1:]}th percentile"
    load = f"at {plan.request.workload.requests_per_s:g} requests/s"
    was = _named(settled)
    for way in islice(chain(_with_more_let_in(settled), _other_ways(settled)), _most_simulated(plan.request.workload)):
        tried += 1
        other = drawn_up(way, warnings)
        if _meets(other):
            now = _named(way) if _named(way) != was else f"{other.request.workload.concurrency} requests at once"
            note = f"The rules chose {was}, which misses the targets {at} {load}; {now} meets them."
            return other.model_copy(update={"notes": (note, *other.notes)}).sealed()
    note = f"Nothing that was simulated here meets the targets {at} {load} ({tried} ways)."
    return plan.model_copy(update={"notes": (note, *plan.notes)}).sealed()


def _most_simulated(workload: Workload) -> int:
    longer = (workload.input_tokens + workload.output_tokens) / USUAL_TOKENS
    return max(1, int(MOST_SIMULATED / max(longer, 1.0)))


def _with_more_let_in(settled: Settled) -> Iterator[Settled]:
    """The same choice with twice, four times ... as many requests at once, as far as the cache holds them."""
    assessor, chosen = settled.assessor, settled.chosen
    asked = assessor.request.workload
    held = min(chosen.memory.max_concurrency, LARGEST_CONCURRENCY) * chosen.layout.replicas
    at_once = 2 * asked.concurrency
    while at_once <= held:
        more = assessor.under(asked.model_copy(update={"concurrency": at_once}))
        found = more.assess(chosen.choice, chosen.layout)
        if found.memory.fits:
            yield replace(settled, chooser=replace(settled.chooser, assessor=more), chosen=found)
        at_once *= 2


def _other_ways(settled: Settled) -> Iterator[Settled]:
    for way in _other_candidates(settled):
        yield replace(settled, chosen=way, neighbours=_beside(settled, way))


def _other_candidates(settled: Settled) -> Iterator[Assessed]:
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


def _named(settled: Settled) -> str:
    way = settled.chosen
    split = f" split over {way.layout.tensor_parallel}" if way.layout.tensor_parallel > 1 else ""
    return f"{way.format}{split}"
