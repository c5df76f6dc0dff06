"""A plan for requests that arrive at a rate: the percentile that is asked for steers what is chosen."""

from __future__ import annotations

import pytest

from planner.planning import make_plan
from planner.planning.under_load import plan_under_load
from planner.request import Request, ServiceLevel, Workload


def asked(model: str, hardware: str, rate: float | None, concurrency: int | None = None, **level: object) -> Request:
    load = {"requests_per_s": rate} | ({"concurrency": concurrency} if concurrency else {})
    return Request(
        model=model,
        hardware=hardware,
        workload=Workload.model_validate(load),
        service_level=ServiceLevel.model_validate(level),
    )


def test_a_choice_that_misses_the_percentile_gives_way_to_a_split_that_meets_it() -> None:
    request = asked("llama-3.1-70b", "8xH100-80GB", 4, 32, tpot_ms=35, percentile="p95")
    by_the_mean, steered = make_plan(request), plan_under_load(request)
    assert by_the_mean.chosen.tensor_parallel == 2
    assert (steered.chosen.format, steered.chosen.tensor_parallel) == ("bf16", 4)
    assert steered.notes[0] == (
        "The rules chose bf16 split over 2, which misses the targets at the 95th percentile at 4 requests/s; "
        "bf16 split over 4 meets them."
    )
    assert steered.outlook is not None
    assert steered.outlook.tpot_ms is not None
    assert steered.outlook.tpot_ms.p95 <= 35
    assert steered.outlook.largest_requests_per_s is not None
    assert steered.outlook.largest_requests_per_s >= 4


def test_as_many_are_let_in_as_the_rate_takes_unless_their_number_was_stated() -> None:
    level = {"ttft_ms": 2000, "percentile": "p95"}
    free = plan_under_load(asked("llama-3.1-8b", "1xA100-80GB", 4, **level))
    stated = plan_under_load(asked("llama-3.1-8b", "1xA100-80GB", 4, 8, **level))
    assert free.chosen.format == "bf16"
    assert free.request.workload.concurrency > 8
    assert f"--max-num-seqs {free.request.workload.concurrency}" in " ".join(free.chosen.engine_arguments)
    assert free.outlook is not None
    assert free.outlook.ttft_ms is not None
    assert free.outlook.ttft_ms.p95 <= 2000
    assert stated.request.workload.concurrency == 8


def test_no_more_are_let_in_than_fit_or_than_the_target_for_a_token_allows() -> None:
    """100 requests a second are more than an L4 carries: the cache is the limit, or the target where there is one."""
    full = plan_under_load(asked("llama-3.1-8b", "1xL4", 100))
    slow = plan_under_load(asked("llama-3.1-8b", "1xL4", 100, tpot_ms=60))
    assert full.chosen.format == slow.chosen.format == "fp8"
    assert full.chosen.memory.max_concurrency >= full.request.workload.concurrency
    assert slow.request.workload.concurrency < full.request.workload.concurrency
    assert (slow.chosen.predicted("tpot_ms").value or 0) <= 60


def test_a_rate_that_the_rules_split_cannot_carry_gets_the_split_that_does() -> None:
    plan = plan_under_load(asked("llama-3.1-70b", "4xH100-80GB", 8))
    assert (plan.chosen.format, plan.chosen.tensor_parallel) == ("bf16", 4)
    assert (
        plan.notes[0] == "The rules chose bf16 split over 2, which cannot carry 8 requests/s; bf16 split over 4 does."
    )
    assert plan.outlook is not None
    assert plan.outlook.capacity_requests_per_s is not None
    assert plan.outlook.capacity_requests_per_s > 8


def test_where_nothing_carries_it_the_split_stays_that_carries_most() -> None:
    plan = plan_under_load(asked("llama-3.1-70b", "4xH100-80GB", 50, tpot_ms=40))
    assert plan.notes[0].startswith("Nothing that was simulated here meets the targets on average at 50 requests/s")
    assert (plan.chosen.format, plan.chosen.tensor_parallel) == ("bf16", 4)


def test_where_nothing_meets_it_the_rules_choice_stays_and_a_note_says_so() -> None:
    request = asked("llama-3.1-8b", "1xL4", 50, 8, ttft_ms=500, percentile="p99")
    plan = plan_under_load(request)
    assert plan.chosen.format == make_plan(request).chosen.format
    assert plan.notes[0].startswith("Nothing that was simulated here meets the targets at the 99th percentile at 50")


def test_an_insisted_format_is_kept() -> None:
    request = asked("llama-3.1-8b", "1xL4", 50, 8, ttft_ms=500, percentile="p99")
    plan = plan_under_load(request.model_copy(update={"format": "int8-w8a8"}))
    assert plan.chosen.format == "int8-w8a8"


@pytest.mark.parametrize("rate", [None, 0.01])
def test_without_a_rate_or_where_the_targets_hold_it_is_the_plan_as_ever(rate: float | None) -> None:
    request = asked("llama-3.1-8b", "1xA100-80GB", rate, 8, ttft_ms=5000, percentile="p95")
    plan, plain = plan_under_load(request), make_plan(request)
    assert plan.chosen == plain.chosen
    assert plan.notes == plain.notes
    assert (plan.outlook is None) == (rate is None)


def test_what_cannot_be_simulated_is_not_said_to_meet_the_targets() -> None:
    """Nothing carries 500 requests a second on one L4; that transformers is not simulated proves no better."""
    request = Request(
        model="llama-3.1-8b",
        hardware="1xL4",
        workload=Workload(requests_per_s=500),
        service_level=ServiceLevel(ttft_ms=2000, percentile="p95"),
    )
    plan = plan_under_load(request)
    assert plan.chosen.engine == "vllm"
    assert plan.notes[0].startswith("Nothing that was simulated here meets the targets")
