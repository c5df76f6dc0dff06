"""A load in copies and USD a month, its ranges, and the loads and terms that are refused."""

from typing import Any

import pytest

from planner.costs.pricing import Pricing
from planner.costs.report.page import page
from planner.costs.report.workbook import workbook
from planner.costs.terms import api_price_from, terms_from
from planner.errors import BadInput
from planner.plan import Plan
from planner.request import Workload
from tests.cost.conftest import compared, run_of

WORKLOAD = Workload(input_tokens=1000, output_tokens=300)


def test_copies_come_whole_and_none_is_busier_than_planned(a100: Plan) -> None:
    """300 tokens/s are one request a second: at most 60 % busy, 2.5 requests/s take 5 copies of one A100 at $1.64."""
    case = compared(runs=(run_of(a100, 300.0),), utilisation=0.6).cases[0]
    taken = case.at_load(2.5)
    assert (taken.copies, taken.accelerators, round(taken.busy, 3)) == (5, 5, 0.5)
    assert taken.usd_per_month == pytest.approx(5 * 1.64 * 730)
    assert taken.usd_per_1m_blended == pytest.approx(5 * 1.64 * 730 / (2.5 * 3600 * 730 * 1300) * 1e6)


def test_a_load_that_fills_copies_exactly_takes_no_further_one(a100: Plan) -> None:
    case = compared(runs=(run_of(a100, 300.0),), utilisation=0.6).cases[0]
    assert case.at_load(0.6 * 7).copies == 7


def test_replicas_of_a_plan_are_its_copies() -> None:
    from tests.cost.conftest import plan_of

    plan = plan_of("4xA100-80GB-SXM", "awq-int4")
    assert (plan.chosen.tensor_parallel, plan.chosen.replicas) == (1, 4)
    case = compared(runs=(run_of(plan, 1200.0),)).cases[0]
    assert case.requests_per_s_a_copy() == pytest.approx(1.0)
    assert case.at_load(1.5).accelerators == 2


def test_ranges_name_speed_and_price_apart(a100: Plan) -> None:
    case = compared(a100).cases[0]
    span, found = case.throughput.span, case.ranged(case.tokens.all_on_output)
    assert found.speed_low == pytest.approx(1.64 / (span.high * 3600) * 1e6)
    assert found.speed_high == pytest.approx(1.64 / (span.low * 3600) * 1e6)
    assert (found.price_low / found.value, found.price_high / found.value) == (
        pytest.approx(1.29 / 1.64),
        pytest.approx(1),
    )
    assert found.low == pytest.approx(1.29 / (span.high * 3600) * 1e6)
    assert found.high == pytest.approx(found.speed_high)
    assert [line.provider for line in case.hourly.others] == ["Verda", "RunPod community", "Spheron"]


def test_a_measured_throughput_has_no_interval(a100: Plan) -> None:
    case = compared(runs=(run_of(a100, 1800.0),)).cases[0]
    found = case.ranged(case.tokens.all_on_output)
    assert found.speed_low == found.speed_high == found.value
    assert case.throughput.source == "measured in run r1"


def test_a_slower_machine_takes_more_copies_in_the_range_of_a_month(a100: Plan) -> None:
    case = compared(a100, requests_per_s=3.0).cases[0]
    month = case.month_range(3.0)
    assert month.speed_low <= month.value <= month.speed_high
    assert month.speed_high == pytest.approx(case.copies_for(3.0, case.throughput.span.low / 300) * 1.64 * 730)


def test_tokens_a_day_are_in_and_out_together() -> None:
    assert terms_from(WORKLOAD, tokens_per_day=1300 * 86_400 * 2).requests_per_s == pytest.approx(2.0)


def test_a_load_beyond_the_accelerators_allowed_is_refused(a100: Plan) -> None:
    with pytest.raises(BadInput) as refused:
        compared(runs=(run_of(a100, 300.0),), requests_per_s=10.0, max_accelerators=4)
    assert str(refused.value) == (
        "10 requests/s take 10 accelerators with plan A (llama-3.1-70b, awq-int4 on 1xA100-80GB-SXM); 4 are allowed\n"
        "To fix: at most 4 requests/s, or --max-accelerators 10, or a faster plan"
    )


def test_one_copy_too_large_for_what_is_allowed_is_refused(four_a100: Plan) -> None:
    with pytest.raises(BadInput) as refused:
        compared(runs=(run_of(four_a100, 300.0),), requests_per_s=0.5, max_accelerators=2)
    assert str(refused.value).endswith("2 are allowed\nTo fix: --max-accelerators 4, or a faster plan")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"utilisation": 0}, "--utilisation 0: not more than 0 and at most 1\n"
         "To fix: give the share of the time a copy may be busy, like --utilisation 0.6"),
        ({"utilisation": 60}, "--utilisation 60: not more than 0 and at most 1\n"
         "To fix: give the share of the time a copy may be busy, like --utilisation 0.6"),
        ({"requests_per_s": 0}, "--requests-per-s 0: not more than 0\n"
         "To fix: give a load, or leave out --requests-per-s"),
        ({"tokens_per_day": -5}, "--tokens-per-day -5: not more than 0\n"
         "To fix: give a load, or leave out --tokens-per-day"),
        ({"requests_per_s": 1, "tokens_per_day": 5}, "--requests-per-s and --tokens-per-day are two ways to say one "
         "thing\nTo fix: leave out one of them"),
        ({"cached_share": 1.5}, "--cached-share 1.5: not from 0 to 1\n"
         "To fix: give the share of prompt tokens found in the prefix cache, like --cached-share 0.3"),
        ({"max_accelerators": 0}, "--max-accelerators 0: less than 1\nTo fix: give how many may be rented, or none"),
    ],
)  # fmt: skip
def test_terms_that_are_refused(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput) as refused:
        terms_from(WORKLOAD, **asked)
    assert str(refused.value) == says


AN_API_PRICE = "\nTo fix: give USD per 1M tokens as input,output or input,output,cached: --api-price 0.60,2.40"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0.6", "--api-price 0.6: 1 prices, not 2 or 3"),
        ("0.6;2.4", "--api-price 0.6;2.4: not numbers with commas between"),
        ("0.6,-2.4", "--api-price 0.6,-2.4: prices must be 0 or more, and not all 0"),
        ("0,0", "--api-price 0,0: prices must be 0 or more, and not all 0"),
    ],
)
def test_api_prices_that_are_refused(text: str, says: str) -> None:
    with pytest.raises(BadInput) as refused:
        api_price_from(text)
    assert str(refused.value) == says + AN_API_PRICE


def test_a_plan_without_a_predicted_speed_is_refused(a100: Plan) -> None:
    unknown = [
        p.model_copy(update={"value": None, "abstained": "no speed constants"})
        if p.name == "output_tokens_per_s"
        else p
        for p in a100.chosen.predictions
    ]
    plan = a100.model_copy(update={"chosen": a100.chosen.model_copy(update={"predictions": tuple(unknown)})})
    with pytest.raises(BadInput) as refused:
        compared(plan)
    assert str(refused.value) == (
        "llama-3.1-70b on 1xA100-80GB-SXM: no cost without a throughput: no speed constants\n"
        "To fix: measure it (`quantplan apply PLAN`), then `quantplan cost PLAN --run RUN_ID`"
    )


def test_a_run_that_measured_nothing_is_refused(a100: Plan) -> None:
    with pytest.raises(BadInput) as refused:
        compared(runs=(run_of(a100, None),))
    assert str(refused.value) == (
        "run r1 measured no throughput\nTo fix: let it finish (`quantplan apply PLAN` again), or name another run; "
        "`quantplan show r1`"
    )


def test_plans_for_different_requests_are_not_compared(a100: Plan, h100: Plan) -> None:
    workload = h100.request.workload.model_copy(update={"input_tokens": 2000})
    other = h100.model_copy(
        update={"request": h100.request.model_copy(update={"workload": workload}), "digest": "other"}
    )
    with pytest.raises(BadInput) as refused:
        compared(a100, other)
    assert str(refused.value) == (
        "the plans are for different requests: 1,000 in and 300 out, 2,000 in and 300 out\n"
        "To fix: plan again with the same --input-tokens and --output-tokens, or compare them one by one"
    )


def test_an_hour_that_costs_nothing_is_no_error(a100: Plan) -> None:
    free = compared(a100, pricing=Pricing(usd_per_hour=0.0), requests_per_s=1.0, api_price="1,1")
    assert free.cases[0].tokens.all_on_output == 0
    assert free.break_evens["A"].first == 0
    assert "$0" in page(free) and workbook(free)
    alone = compared(a100, pricing=Pricing(usd_per_hour=0.0))
    assert "$0" in page(alone) and workbook(alone)


def test_an_enormous_load_is_answered_at_once(a100: Plan, h100: Plan) -> None:
    found = compared(a100, h100, requests_per_s=1e9, api_price="1,1")
    assert found.cheapest.at_load(1e9).copies > 1e8
    assert found.stretches["A", "B"] and page(found)
