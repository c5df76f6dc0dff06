"""Several plans' costs side by side: the one place every output (terminal, page, sheet, table) reads from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from string import ascii_uppercase

from planner.costs.break_even import BreakEven, Stretch, against_api, against_plan
from planner.costs.case import AtLoad, Case, Throughput
from planner.costs.formula import SECONDS_PER_MONTH
from planner.costs.hourly import price_warnings
from planner.costs.measuring import measured_throughput, predicted_throughput
from planner.costs.pricing import Pricing, price_of_plan
from planner.costs.terms import ApiPrice, Terms
from planner.costs.tokens import METHOD
from planner.errors import BadInput
from planner.figures import figure, usd
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

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What to know before relying on the figures, said once each."""
        return tuple(dict.fromkeys(warning for case in self.cases for warning in self._warnings_of(case)))

    def _warnings_of(self, case: Case) -> Iterator[str]:
        yield from price_warnings(case.hourly, case.plan.hardware.name, self.today)
        if (line := case.hourly.on_demand) and case.hourly.kind == "reserved":
            share, price = case.hourly.usd_per_hour / line.usd_per_hour, usd(line.usd_per_hour)
            against = f"{line.provider} on demand ({price}) only where machines are needed more than {share:.0%}"
            yield f"reserving for plan {case.label} pays off against {against} of the hours"
        made = case.plan.chosen.cost
        if made and abs(made.usd_per_hour - case.usd_per_hour) > 1e-9 * case.usd_per_hour:
            was, now = usd(made.usd_per_hour), usd(case.usd_per_hour)
            yield f"plan {case.label} was made at {was} an hour ({made.provider}), here {now} ({case.hourly.label})"
        if self.terms.utilisation == 1 and self.terms.requests_per_s is not None:
            yield "copies are planned 100% busy, so requests queue at every peak: plan with --utilisation 0.7 or so"
        if case.prompt_share is None:
            yield f"plan {case.label} does not say how its time divides: input and output tokens are not told apart"
        if not case.throughput.measured and "datasheet bound" in case.throughput.source:
            yield f"plan {case.label}: {case.throughput.source}; its interval is wide"

    @cached_property
    def assumptions(self) -> tuple[str, ...]:
        """What every figure rests on."""
        workload, terms = self.cases[0].workload, self.terms
        cached = f", {terms.cached_share:.0%} of it found in the prefix cache" if terms.cached_share else ""
        return (
            "All amounts are US dollars (USD), without taxes, storage, traffic and staff.",
            f"A request is {workload.input_tokens:,} tokens in{cached} and {workload.output_tokens:,} tokens out.",
            f"No copy is planned busier than {terms.utilisation:.0%} of its time, at the plan's requests in flight.",
            "A month is 730 hours (8,760 / 12); machines are always on and copies come whole.",
            f"Input and output tokens are told apart {METHOD}.",
            "A token read from the prefix cache takes no time to read, so it carries no cost here; APIs charge for it.",
            "Ranges: from the speed alone (90 % interval of the prediction), from the price alone (cheapest to dearest "
            "provider of the same accelerator rented the same way), and from both at once.",
        )

    def headline(self) -> str:
        """The answer in a sentence or two."""
        best, load = self.cheapest, self.terms.requests_per_s
        whose = f"plan {best.label} ({best.name})" if len(self.cases) > 1 else best.name
        if load is None:
            blended, output = usd(best.tokens.blended), usd(best.tokens.all_on_output)
            serving = f"Plan {best.label} ({best.name})" if len(self.cases) > 1 else f"Serving {best.name}"
            return f"{serving} costs {output} per 1M output tokens, {blended} per 1M tokens in and out."
        taken = best.at_load(load)
        month = usd(taken.usd_per_month)
        copies = f"{taken.copies:,} {'copy' if taken.copies == 1 else 'copies'} on {best.machines(taken.accelerators)}"
        cheapest = "is the cheapest" if len(self.cases) > 1 else "serves it"
        said = f"At {figure(load)} requests/s {whose} {cheapest}: {month} a month for {copies}."
        return said + self._against_api(taken)

    def _against_api(self, taken: AtLoad) -> str:
        if not self.terms.api:
            return ""
        asked = self.api_month(self.terms.api, taken.requests_per_s)
        difference = taken.usd_per_month / asked - 1
        word = "less" if difference < 0 else "more"
        return f" The API would ask {usd(asked)}: serving it yourself costs {abs(difference):.0%} {word}."


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
