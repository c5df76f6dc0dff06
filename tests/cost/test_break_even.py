"""Break-even loads against a search over all loads, and the sentences that tell them."""

from itertools import pairwise

import pytest

from planner.costs.break_even import against_api, against_plan
from planner.costs.case import Case
from planner.costs.telling import break_even_sentence, stretch_sentences
from planner.costs.terms import ApiPrice
from planner.plan import Plan
from tests.cost.conftest import compared, run_of


def case_of(plan: Plan, tokens_per_s: float, label: str = "A") -> Case:
    found = compared(runs=(run_of(plan, tokens_per_s),)).cases[0]
    return Case(label, found.plan, found.hourly, found.throughput, found.prompt_share, found.terms)


def month(case: Case, load: float) -> float:
    return case.at_load(load).usd_per_month


def api_month(api: ApiPrice, case: Case, load: float) -> float:
    return api.usd_per_request(case.workload, 0) * load * 730 * 3600


@pytest.mark.parametrize(
    ("output_price", "tokens_per_s"), [(2.0, 300), (1.6, 300), (1.53, 300), (8.0, 300), (2.0, 900)]
)
def test_break_even_is_what_a_search_finds(a100: Plan, output_price: float, tokens_per_s: float) -> None:
    case, api = case_of(a100, tokens_per_s), ApiPrice(0.0, output_price)
    found = against_api(case, api)
    assert found.first is not None and found.always is not None
    assert month(case, found.first) == pytest.approx(api_month(api, case, found.first))
    loads = [found.always * (1 + 0.0137 * n) + 1e-6 for n in range(3000)]
    assert all(month(case, load) <= api_month(api, case, load) for load in loads)
    before = [found.always * (1 - 1e-7 * n) for n in range(1, 20)]
    assert all(month(case, load) > api_month(api, case, load) for load in before)
    assert all(
        month(case, load) > api_month(api, case, load) for load in [found.first * n / 100 for n in range(1, 100)]
    )


def test_it_never_breaks_even_where_a_full_copy_costs_more(a100: Plan) -> None:
    """$1.64 an hour at 300 tokens/s is $1.52 per 1M output tokens."""
    found = against_api(case_of(a100, 300), ApiPrice(0.0, 1.5))
    assert (found.first, found.always) == (None, None)
    assert found.usd_per_request == pytest.approx(1.64 / 3600)
    assert found.api_usd_per_request == pytest.approx(1.5 * 300 / 1e6)


def test_stretches_agree_with_the_costs_at_every_load(a100: Plan, h100: Plan) -> None:
    a, c = case_of(a100, 285, "A"), case_of(h100, 644, "C")
    found = against_plan(a, c, 10.0)
    assert found[0].from_requests_per_s == 0 and found[-1].to_requests_per_s == 10.0
    assert all(one.to_requests_per_s == two.from_requests_per_s for one, two in pairwise(found))
    for stretch in found:
        width = stretch.to_requests_per_s - stretch.from_requests_per_s
        for part in (0.01, 0.5, 0.99):
            load = stretch.from_requests_per_s + width * part
            cheaper = "A" if month(a, load) < month(c, load) else "C"
            assert stretch.cheaper == cheaper


def test_the_sentences(a100: Plan, h100: Plan) -> None:
    comparison = compared(runs=(run_of(a100, 300, "r1"), run_of(h100, 600, "r2")), api_price="0.5,2.0")
    first, second = comparison.cases
    assert break_even_sentence(comparison, first) == (
        "Plan A is cheaper than the API at $0.5 in, $2 out per 1M tokens "
        "from 0.414 requests/s (46.5 M tokens a day) on."
    )
    assert break_even_sentence(comparison, second) == (
        "Plan B is cheaper than the API at $0.5 in, $2 out per 1M tokens "
        "from 0.753 requests/s (84.5 M tokens a day) on."
    )
    assert stretch_sentences(comparison) == [
        "Plans A and B: A is cheaper from 0 to 1; B is cheaper from 1 to 2; A is cheaper from 2 to 3; "
        "B is cheaper from 3 to 4 requests/s. At large loads plan B costs 9% less."
    ]


def test_never_and_always_in_words(a100: Plan) -> None:
    dear = compared(runs=(run_of(a100, 300),), api_price="0,1.5")
    assert break_even_sentence(dear, dear.cases[0]) == (
        "Plan A never breaks even with the API at $0 in, $1.5 out per 1M tokens: a request costs $0.0004556 on a full "
        "copy, $0.00045 there."
    )
    near = compared(runs=(run_of(a100, 300),), api_price="0,1.6")
    assert break_even_sentence(near, near.cases[0]).endswith("it depends on how full the last copy is.")
