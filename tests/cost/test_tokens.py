"""Kinds of token apart: together they pay for the hour, and time decides who pays what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.costs.tokens import token_prices
from planner.plan import Plan
from tests.cost.conftest import compared


@given(
    usd_per_hour=st.floats(0.1, 100),
    requests_per_s=st.floats(0.01, 100),
    input_tokens=st.integers(1, 100_000),
    output_tokens=st.integers(1, 10_000),
    share=st.floats(0, 1),
    cached=st.floats(0, 1),
)
def test_the_kinds_together_pay_for_the_request(
    usd_per_hour: float, requests_per_s: float, input_tokens: int, output_tokens: int, share: float, cached: float
) -> None:
    found = token_prices(usd_per_hour, requests_per_s, input_tokens, output_tokens, share, cached)
    assert found.input is not None and found.output is not None and found.cached_input is not None
    read, cached_tokens = input_tokens * (1 - cached), input_tokens * cached
    paid = (read * found.input + cached_tokens * found.cached_input + output_tokens * found.output) / 1e6
    assert paid == pytest.approx(found.usd_per_request)
    assert found.blended * (input_tokens + output_tokens) == pytest.approx(found.all_on_output * output_tokens)


def test_a_worked_example() -> None:
    """$3.60 an hour, one request a second, a quarter of the time on prompts: $0.001 a request."""
    found = token_prices(3.60, 1.0, 1000, 500, 0.25)
    assert found.usd_per_request == pytest.approx(0.001)
    assert found.input == pytest.approx(0.25)
    assert found.output == pytest.approx(1.5)
    assert found.all_on_output == pytest.approx(2.0)
    assert found.blended == pytest.approx(0.001 / 1500 * 1e6)


def test_without_a_known_share_the_kinds_stay_unknown() -> None:
    found = token_prices(3.60, 1.0, 1000, 500, None, 0.5)
    assert (found.input, found.cached_input, found.output) == (None, None, None)
    assert found.usd_per_request == pytest.approx(0.001)


def test_longer_prompts_take_a_larger_share_of_the_time(a100: Plan) -> None:
    from planner.planning import make_plan

    workload = a100.request.workload.model_copy(update={"input_tokens": 2000})
    longer = make_plan(a100.request.model_copy(update={"workload": workload}))
    shares = [
        plan.chosen.cost.apart.prompt_share for plan in (a100, longer) if plan.chosen.cost and plan.chosen.cost.apart
    ]
    assert len(shares) == 2
    assert 0 < shares[0] < shares[1] < 1


def test_a_prefix_cache_saves_the_prompts_part_only(a100: Plan) -> None:
    plain, cached = compared(a100).cases[0], compared(a100, cached_share=0.5).cases[0]
    share = plain.prompt_share or 0
    assert cached.tokens.usd_per_request == pytest.approx(plain.tokens.usd_per_request * (1 - share / 2))
    assert cached.requests_per_s_a_copy() == pytest.approx(plain.requests_per_s_a_copy() / (1 - share / 2))
    assert cached.tokens.input == pytest.approx(plain.tokens.input)
