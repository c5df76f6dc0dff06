"""The compare page's chart: a mark for every row of its table, coloured by plan, what nothing beats joined."""

import re

import pytest

from planner.figures import figure
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request
from planner.service.pages.frontier_chart import Way, chart, pareto


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    return [make_plan(Request(model="llama-3.1-8b", hardware=name)) for name in ("1xL40S", "1xH100-80GB")]


def test_every_row_is_a_mark_of_its_plans_colour(plans: list[Plan]) -> None:
    drawn = chart(plans, ["a <b>", "c"])
    assert drawn is not None
    for number, plan in enumerate(plans):
        rows = [row for row in drawn["rows"] if row["number"] == number]
        assert rows[0]["tpot"] == figure(plan.chosen.predicted("tpot_ms").value)
        assert len(re.findall(rf'<use [^>]*class="fill-{number}[" ]', drawn["svg"])) == len(rows)
    assert len(re.findall(r"<g><title>", drawn["svg"])) == len(drawn["rows"]) and "<b>" not in drawn["svg"]
    assert any(row["on_frontier"] for row in drawn["rows"])
    assert not re.search(r"\bstyle=|<style|url\(", drawn["svg"]), "the page's policy allows no inline style"


def test_one_way_alone_is_no_chart(plans: list[Plan]) -> None:
    assert chart([plans[0].model_copy(update={"alternatives": ()})], ["a"]) is None


def test_what_another_beats_on_both_is_not_on_the_line() -> None:
    fast, cheap, worse = (
        Way("a", 0, name, *figures, chosen=False)
        for name, figures in (("fast", (5.0, 2.0)), ("cheap", (9.0, 1.0)), ("worse", (9.0, 2.0)))
    )
    assert pareto([fast, cheap, worse]) == {fast, cheap}
