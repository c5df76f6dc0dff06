"""What a fuller batch would change: the same machines, cheaper tokens, each of them later."""

from __future__ import annotations

from math import ceil

from planner.costs.case import Case
from planner.figures import figure, usd
from planner.plan import OperatingPoint
from planner.request import ServiceLevel


def fuller_sentence(case: Case) -> str | None:
    """What tokens would cost with the most requests in flight that the plan's targets allow; None where it is no more.

    Told only where a load takes several copies, which more requests in each would make fewer.
    """
    load, planned = case.terms.requests_per_s, ceil(case.workload.concurrency / case.copies)
    point = _cheapest_within(case, case.plan.request.service_level)
    if load is None or case.throughput.measured or point is None or point.concurrency <= planned:
        return None
    if case.at_load(load).copies == 1:
        return None
    fuller, now = usd(case.usd_per_1m_output_at(point).value), usd(case.tokens.all_on_output)
    later, soon = figure(point.tpot_ms.value), figure(case.plan.chosen.predicted("tpot_ms").value)
    return (
        f"Plan {case.label} holds {planned} requests in flight a copy. With {point.concurrency}, 1M output tokens cost "
        f"{fuller} instead of {now}, each of them after {later} ms instead of {soon}: "
        f"make the plan with --concurrency {point.concurrency} to price that."
    )


def _cheapest_within(case: Case, targets: ServiceLevel) -> OperatingPoint | None:
    """Of the plan's numbers of requests in flight the one of cheapest tokens within the targets."""
    within = [
        point
        for point in case.plan.operating_points
        if (targets.tpot_ms is None or point.tpot_ms.value <= targets.tpot_ms)
        and (targets.ttft_ms is None or point.ttft_ms.value <= targets.ttft_ms)
    ]
    return max(within, key=lambda point: point.output_tokens_per_s.value, default=None)
