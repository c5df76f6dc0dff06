"""A plan for an open load: what is chosen meets the targets at their percentile where anything here does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice

from planner.errors import BadInput
from planner.plan import Plan
from planner.planning.assessing import Assessed
from planner.planning.at_once import enough_at_once
from planner.planning.lengths import within_context
from planner.planning.operating import LARGEST_CONCURRENCY
from planner.planning.pipeline import Settled, asked_about, drawn_up, settle
from planner.request import Request, Workload
from rules.book import Book, load_book

MOST_SIMULATED = 12
MOST_SETTLED = 3
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
    if not stated:
        settled = _letting_in_enough(settled, rate, book)
    plan = drawn_up(settled, shortened)
    if _meets(plan) is False:
        ways = _other_ways(settled)
        if not stated:
            ways = chain(_with_more_let_in(settled), (_with_its_own_number(way, rate) for way in ways))
        plan = _steered(plan, settled, ways, shortened)
    return with_outlook(plan)


def _letting_in_enough(settled: Settled, rate: float, book: Book) -> Settled:
    """The question settled with as many requests at once as the rate takes; again where that changed the layout."""
    for _ in range(MOST_SETTLED):
        asked = settled.assessor.request
        at_once = enough_at_once(settled, rate)
        if at_once is None or at_once == asked.workload.concurrency:
            break
        workload = asked.workload.model_copy(update={"concurrency": at_once})
        request = asked.model_copy(update={"workload": workload})
        settled = settle(settled.assessor.model, settled.assessor.hardware, request, book)
    return settled


def _meets(plan: Plan) -> bool | None:
    """Whether the simulation says that the load is carried within the targets; None where it cannot say."""
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
    """The first other way that carries the load within the targets; where none does, the split that carries most."""
    was, words, tried = _named(settled), Told.of(plan.request), [settled]
    for way in islice(ways, _most_simulated(plan.request.workload)):
        tried.append(way)
        other = drawn_up(way, warnings)
        if _meets(other):
            now = _named(way) if _named(way) != was else f"{other.request.workload.concurrency} requests at once"
            return _noted(other, f"The rules chose {was}, which {words.misses}; {now} {words.meets}.")
    alike = (way for way in tried if way.chosen.choice == settled.chosen.choice and way.chosen.verdict == "feasible")
    most = max(alike, key=_tokens_per_s)
    note = f"Nothing that was simulated here {words.does} ({len(tried)} way{'s' if len(tried) > 1 else ''})."
    return _noted(plan if most is settled else drawn_up(most, warnings), note)


def _noted(plan: Plan, note: str) -> Plan:
    return plan.model_copy(update={"notes": (note, *plan.notes)}).sealed()


def _tokens_per_s(way: Settled) -> float:
    return way.chosen.speed.output_tokens_per_s.value or 0.0


def _most_simulated(workload: Workload) -> int:
    longer = (workload.input_tokens + workload.output_tokens) / USUAL_TOKENS
    return max(1, int(MOST_SIMULATED / max(longer, 1.0)))


@dataclass(frozen=True, slots=True)
class Told:
    """How a load that is carried, or is not, reads in a note."""

    misses: str
    meets: str
    does: str

    @classmethod
    def of(cls, request: Request) -> Told:
        level, rate = request.service_level, f"{request.workload.requests_per_s:g} requests/s"
        if level.ttft_ms is None and level.tpot_ms is None:
            return cls(f"cannot carry {rate}", "does", f"carries {rate}")
        at = "on average" if level.percentile == "mean" else f"at the {level.percentile[1:]}th percentile"
        return cls(f"misses the targets {at} at {rate}", "meets them", f"meets the targets {at} at {rate}")


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


def _with_its_own_number(way: Settled, rate: float) -> Settled:
    """Another way with as many requests at once as the rate takes of it."""
    at_once = enough_at_once(way, rate)
    if at_once is None:
        return way
    assessor, chosen = way.assessor, way.chosen
    load = assessor.under(assessor.request.workload.model_copy(update={"concurrency": at_once}))
    found = load.assess(chosen.choice, chosen.layout)
    return replace(way, chooser=replace(way.chooser, assessor=load), chosen=found)


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
