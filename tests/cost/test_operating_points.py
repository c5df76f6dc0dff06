"""What a plan keeps for its cost: one copy under rising load, and the kinds of token apart."""

import pytest

from planner.plan import Plan, load_plan


def test_points_double_up_to_what_the_cache_holds_with_the_planned_one_among_them(a100: Plan) -> None:
    numbers = [point.concurrency for point in a100.operating_points]
    assert numbers[:4] == [1, 2, 4, 8]
    assert 32 in numbers
    assert numbers[-1] == int(a100.chosen.memory.max_concurrency)


def test_more_in_flight_is_never_less_throughput_and_never_faster_for_one(a100: Plan) -> None:
    points = a100.operating_points
    rates, delays = ([getattr(p, name).value for p in points] for name in ("output_tokens_per_s", "tpot_ms"))
    assert rates == sorted(rates) and delays == sorted(delays)
    assert all(p.tpot_ms.low <= p.tpot_ms.value <= p.tpot_ms.high for p in points)


def test_the_planned_point_is_what_the_plan_predicts(a100: Plan) -> None:
    planned = next(point for point in a100.operating_points if point.concurrency == 32)
    assert planned.output_tokens_per_s.value == pytest.approx(a100.chosen.predicted("output_tokens_per_s").value)
    assert planned.tpot_ms.value == pytest.approx(a100.chosen.predicted("tpot_ms").value)
    assert a100.chosen.cost is not None and a100.chosen.cost.apart is not None
    assert planned.prompt_share == pytest.approx(a100.chosen.cost.apart.prompt_share)


def test_kinds_apart_pay_for_the_hour(a100: Plan) -> None:
    cost = a100.chosen.cost
    assert cost is not None and cost.apart is not None and cost.usd_per_1m_output_tokens is not None
    both = 1000 * cost.apart.usd_per_1m_input + 300 * cost.apart.usd_per_1m_output
    assert both == pytest.approx(300 * cost.usd_per_1m_output_tokens)
    assert both == pytest.approx(1300 * cost.apart.usd_per_1m_blended)


def test_they_survive_the_plan_file(a100: Plan, tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "plan.json"
    a100.write(path)
    assert load_plan(path).operating_points == a100.operating_points
