"""A report says where more requests in flight would make tokens cheaper, and at what price in time."""

import re

import pytest

from planner.costs.fuller import fuller_sentence
from planner.costs.telling import cheaper_sentences
from planner.planning import make_plan
from planner.request import Request, ServiceLevel, Workload
from tests.cost.conftest import compared, plan_of, run_of


def test_a_plan_for_few_requests_is_told_what_more_would_cost() -> None:
    plan = plan_of("1xA100-80GB", "awq-int4", concurrency=8)
    comparison = compared(plan, requests_per_s=3.0)
    (case,) = comparison.cases
    said = fuller_sentence(case)
    assert said is not None
    assert said in cheaper_sentences(comparison)
    most = max(plan.operating_points, key=lambda point: point.output_tokens_per_s.value)
    told = re.search(r"With (\d+), 1M output tokens cost \$([\d.]+) instead of \$([\d.]+)", said)
    assert told is not None
    assert int(told[1]) == most.concurrency
    # the same machine for an hour, over more tokens
    gained = most.output_tokens_per_s.value / case.throughput.span.value
    assert float(told[3]) / float(told[2]) == pytest.approx(gained, rel=0.01)


def test_nothing_is_said_where_targets_or_the_load_leave_no_room_or_it_was_measured() -> None:
    plan = plan_of("1xA100-80GB", "awq-int4", concurrency=8)
    tpot_ms = plan.chosen.predicted("tpot_ms").value
    assert tpot_ms is not None
    held = make_plan(
        Request(
            model="llama-3.1-70b",
            hardware="1xA100-80GB",
            format="awq-int4",
            workload=Workload(concurrency=8),
            service_level=ServiceLevel(tpot_ms=tpot_ms * 1.01),
        )
    )
    for comparison in (
        compared(held, requests_per_s=3.0),
        compared(plan, requests_per_s=0.01),
        compared(plan),
        compared(runs=(run_of(plan, 200.0),), requests_per_s=3.0),
    ):
        assert [fuller_sentence(case) for case in comparison.cases] == [None]
