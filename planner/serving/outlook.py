"""What a plan says of an open load: waits by percentile, the largest load within the targets, the copies it takes."""

from __future__ import annotations

from dataclasses import asdict

from planner.errors import BadInput
from planner.plan import Outlook, Percentiles, Plan
from planner.serving.capacity import Targets, capacity_per_s, largest_rate, replicas_for, sequences_hint
from planner.serving.from_plan import server_of
from planner.serving.outcome import Waits
from planner.serving.server import Server
from planner.serving.simulating import simulate
from planner.serving.traffic import Traffic


def with_outlook(plan: Plan) -> Plan:
    """The plan with what the rate it was asked for comes to, simulated; the same plan where no rate was asked for."""
    rate = plan.request.workload.requests_per_s
    if rate is None:
        return plan
    try:
        outlook = outlook_of(plan, server_of(plan), rate)
    except BadInput as nothing_known:
        outlook = Outlook(requests_per_s=rate, abstained=nothing_known.what)
    return plan.model_copy(update={"outlook": outlook}).sealed()


def outlook_of(plan: Plan, server: Server, rate: float) -> Outlook:
    """Each copy takes its share of the rate; rates are told of all copies together."""
    copies, traffic = plan.chosen.replicas, traffic_of(plan, rate)
    capacity = capacity_per_s(server, traffic)
    largest = largest_rate(server, traffic, targets_of(plan))
    carried = simulate(server, traffic) if rate / copies <= capacity else None
    return Outlook(
        requests_per_s=rate,
        ttft_ms=_percentiles(carried.ttft_ms) if carried else None,
        tpot_ms=_percentiles(carried.tpot_ms) if carried else None,
        end_to_end_ms=_percentiles(carried.end_to_end_ms) if carried else None,
        capacity_requests_per_s=capacity * copies,
        largest_requests_per_s=largest * copies if largest else None,
        replicas_needed=replicas_for(rate, largest) if largest else None,
        hint=sequences_hint(server, traffic)
        if carried is None and plan.request.service_level.tpot_ms is None
        else None,
    )


def traffic_of(plan: Plan, rate: float) -> Traffic:
    """One copy's share of a Poisson stream of requests like the plan's."""
    workload = plan.request.workload
    return Traffic(
        workload.input_tokens,
        workload.output_tokens,
        requests_per_s=rate / plan.chosen.replicas,
        prefix_hit_rate=workload.prefix_hit_rate,
    )


def targets_of(plan: Plan) -> Targets:
    level = plan.request.service_level
    return Targets(level.ttft_ms, level.tpot_ms, None if level.percentile == "mean" else int(level.percentile[1:]))


def _percentiles(waits: Waits) -> Percentiles:
    return Percentiles(**asdict(waits))
