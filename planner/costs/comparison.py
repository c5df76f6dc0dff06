"""Several plans' costs side by side: the one place every output (terminal, page, sheet, table) reads from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from string import ascii_uppercase

from planner.costs.break_even import BreakEven, Stretch, against_api, against_plan
from planner.costs.case import Case, Throughput
from planner.costs.formula import SECONDS_PER_MONTH
from planner.costs.measuring import measured_throughput, predicted_throughput
from planner.costs.pricing import Pricing, price_of_plan
from planner.costs.terms import ApiPrice, Terms
from planner.errors import BadInput
from planner.plan import Plan
from planner.ports import RunRecord

COPIES_SHOWN = 6
COPIES_COMPARED = 1000
LOADS_SHOWN = 10


@dataclass(frozen=True)
class Comparison:
    """All cases under the same terms. `today` is what ages are counted from."""

    cases: tuple[Case, ...]
    terms: Terms
    today: date

    @cached_property
    def cheapest(self) -> Case:
        """At the load where there is one, else per token."""
        load = self.terms.requests_per_s
        if load is None:
            return min(self.cases, key=lambda case: case.usd_per_request_when_full)
        return min(self.cases, key=lambda case: case.at_load(load).usd_per_month)

    @cached_property
    def largest_load(self) -> float:
        """Requests a second up to which loads are shown: past the load asked for, and past every break-even."""
        widest = max(case.planned_requests_per_s_a_copy for case in self.cases) * COPIES_SHOWN / 2
        asked = 2 * (self.terms.requests_per_s or 0)
        firsts = [
            1.5 * found.always for found in self.break_evens.values() if found.always and found.always < 4 * widest
        ]
        return max(asked or widest, *firsts, 0)

    @cached_property
    def break_evens(self) -> dict[str, BreakEven]:
        """Against the API, by the case's label; empty without an API price."""
        api = self.terms.api
        return {case.label: against_api(case, api) for case in self.cases} if api else {}

    @cached_property
    def stretches(self) -> dict[tuple[str, str], tuple[Stretch, ...]]:
        """For each pair of plans, which is cheaper at which load."""
        most = min(self.largest_load, COPIES_COMPARED * min(case.planned_requests_per_s_a_copy for case in self.cases))
        pairs = ((a, b) for n, a in enumerate(self.cases) for b in self.cases[n + 1 :])
        return {(a.label, b.label): against_plan(a, b, most) for a, b in pairs}

    @cached_property
    def loads(self) -> tuple[float, ...]:
        """The loads of the table: even steps, with the load asked for among them."""
        even = {self.largest_load * n / LOADS_SHOWN for n in range(1, LOADS_SHOWN + 1)}
        return tuple(sorted(even | ({self.terms.requests_per_s} if self.terms.requests_per_s else set())))

    def api_month(self, api: ApiPrice, load: float) -> float:
        """USD a month of the API at this load; plans of one comparison ask for the same lengths."""
        return api.usd_per_request(self.cases[0].workload, self.terms.cached_share) * load * SECONDS_PER_MONTH


def compare(
    plans: Sequence[Plan], runs: Sequence[RunRecord], pricing: Pricing, terms: Terms, *, today: date | None = None
) -> Comparison:
    """The plans, each with the throughput its run measured where there is one, at today's prices.

    BadInput for no plan, a run that belongs to none, or plans for different requests, which cost different things.
    """
    by_digest = {plan.digest: plan for plan in plans} | {run.plan.digest: run.plan for run in runs}
    if not by_digest:
        raise BadInput("no plan is named", fix="quantplan cost plan.json, or quantplan cost --run RUN_ID")
    if len(by_digest) > len(ascii_uppercase):
        raise BadInput(f"{len(by_digest)} plans are too many for one page", fix="compare at most 26")
    measured = {run.plan.digest: measured_throughput(run) for run in runs}
    _check_same_requests(tuple(by_digest.values()))
    cases = tuple(
        _case(label, plan, measured.get(digest), pricing, terms)
        for label, (digest, plan) in zip(ascii_uppercase, by_digest.items(), strict=False)
    )
    if terms.requests_per_s is not None:
        for case in cases:
            case.check_load(terms.requests_per_s)
    return Comparison(cases, terms, today or date.today())


def _case(label: str, plan: Plan, measured: Throughput | None, pricing: Pricing, terms: Terms) -> Case:
    apart = plan.chosen.cost.apart if plan.chosen.cost else None
    share = apart.prompt_share if apart else None
    throughput = measured or predicted_throughput(plan)
    return Case(label, plan, price_of_plan(plan, pricing), throughput, share, terms)


def _check_same_requests(plans: tuple[Plan, ...]) -> None:
    first = plans[0].request.workload
    for plan in plans[1:]:
        other = plan.request.workload
        if (other.input_tokens, other.output_tokens) != (first.input_tokens, first.output_tokens):
            raise BadInput(
                f"the plans are for different requests: {first.input_tokens:,} in and {first.output_tokens:,} out, "
                f"{other.input_tokens:,} in and {other.output_tokens:,} out",
                fix="plan again with the same --input-tokens and --output-tokens, or compare them one by one",
            )
