"""A price file of one's own: its lines come first, their provenance is shown, and a bad one is refused by line."""

from datetime import date
from pathlib import Path

import pytest

from planner.costs.derivation import derivation
from planner.costs.pricing import Pricing, price_of_plan
from planner.costs.telling import warnings
from planner.errors import BadInput
from planner.plan import Plan
from planner.planning import make_plan
from planner.prices import find_price, price_table
from planner.prices.ages import age_days, age_warning
from planner.prices.table import own_price_file
from planner.request import Price
from tests.cost.conftest import compared

HEADER = "name,provider,price_type,usd_per_hour,as_of,source,term_months,note,currency\n"
OURS = 'A100-80GB-SXM,Our contract,reserved,1.10,2026-10-01,"contract 7, signed",12,,USD\n'


def written(folder: Path, lines: str) -> str:
    path = folder / "prices.csv"
    path.write_text(HEADER + lines, encoding="utf-8")
    return str(path)


def test_a_line_of_ones_own_is_taken_first(tmp_path: Path) -> None:
    file = written(tmp_path, OURS)
    line = find_price("A100-80GB-SXM", table=price_table(file))
    assert line is not None
    assert (line.usd_per_hour, line.label) == (1.10, "Our contract, reserved for 12 months, 2026-10-01")
    assert line.provenance == f"contract 7, signed (your price file {file})"
    others = find_price("H100-80GB-SXM", table=price_table(file))
    assert others is not None and others.provider == "Spheron"


def test_a_plan_and_its_cost_take_it(tmp_path: Path, a100: Plan) -> None:
    file = written(tmp_path, OURS)
    plan = make_plan(a100.request.model_copy(update={"price": Price(file=file)}))
    assert plan.chosen.cost is not None
    assert (plan.chosen.cost.usd_per_hour, plan.chosen.cost.price_kind) == (1.10, "reserved")
    assert "your price file" in plan.chosen.cost.price_source
    assert price_of_plan(a100, Pricing(file=file)).usd_per_hour == 1.10


def test_the_environment_names_it_unless_an_option_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTPLAN_PRICES", "ours.csv")
    assert own_price_file(None) == "ours.csv"
    assert own_price_file("theirs.csv") == "theirs.csv"


def test_a_kind_gives_the_cheapest_of_that_kind() -> None:
    line = find_price("H100-80GB-SXM", kind="spot")
    assert line is not None
    assert (line.provider, line.usd_per_hour) == ("Verda", 0.8015)
    both = find_price("H100-80GB-SXM", provider="Nebius", kind="spot")
    assert both is not None and both.usd_per_hour == 1.25


def test_a_kind_nobody_offers_is_refused_with_those_that_are() -> None:
    with pytest.raises(BadInput) as refused:
        find_price("T4", kind="spot")
    assert str(refused.value) == (
        "no spot price for T4\n"
        "To fix: ask for one of: on-demand, serverless, or put the price in a price file (--prices FILE)"
    )


COLUMNS = (
    "name, provider, price_type, usd_per_hour, as_of, source, vcpus, memory_gib, default, note, term_months, currency"
)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("L4,X,on-demand,-1,2026,s,,,", "usd_per_hour -1 is negative or endless\n"
         "To fix: give usd_per_hour of 0 or more"),
        ("L4,X,on-demand,cheap,2026,s,,,", "usd_per_hour 'cheap' is no number\nTo fix: write it like 1.64"),
        ("L4,X,on-demnd,1,2026,s,,,", "unknown price_type 'on-demnd'\nDid you mean: on-demand?\n"
         "To fix: use one of: on-demand, spot, reserved, serverless, marketplace"),
        ("L4,X,spot,1,last May,s,,,", "as_of 'last May' is no date\nTo fix: write 2026, 2026-04 or 2026-04-07"),
        ("L4,X,spot,1,2026,s,,,EUR", "currency 'EUR': prices are in USD\n"
         "To fix: convert the price to USD and write the rate and its date in `note`"),
        ("L4,X,spot,1,2026,,,,", "source is empty\nTo fix: fill in source: every price has one"),
        ("L4,X,spot,1,2026,s,,,,,", 'more cells than columns\nTo fix: put text with commas in "quotes"'),
    ],
)  # fmt: skip
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, line: str, says: str) -> None:
    file = written(tmp_path, OURS + line + "\n")
    with pytest.raises(BadInput) as refused:
        price_table(file)
    assert str(refused.value) == f"{file}:3: {says}"


def test_an_unknown_column_is_refused_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("name,provider,price_type,usd_per_hr,as_of,source\n", encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        price_table(str(path))
    assert str(refused.value) == (
        f"{path}: unknown column 'usd_per_hr'\nDid you mean: usd_per_hour?\nTo fix: use these columns: {COLUMNS}"
    )


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        price_table(str(tmp_path / "none.csv"))
    assert str(refused.value) == (
        f"{tmp_path / 'none.csv'}: cannot read the prices: No such file or directory\n"
        "To fix: write one: `quantplan prices --csv` prints a table to start from"
    )


def test_a_negative_price_given_on_the_spot_is_refused(a100: Plan) -> None:
    with pytest.raises(BadInput) as refused:
        price_of_plan(a100, Pricing(usd_per_hour=-1))
    assert str(refused.value) == (
        "--usd-per-hour -1: a price cannot be negative\n"
        "To fix: give what one accelerator costs an hour, like --usd-per-hour 1.64"
    )


TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("as_of", "ages"), [("2026-04-07", (228, 228)), ("2026-05", (174, 204)), ("2026", (0, 324)), ("2027-01-01", (0, 0))]
)
def test_ages_are_as_exact_as_dates(as_of: str, ages: tuple[int, int]) -> None:
    assert age_days(as_of, TODAY) == ages


def test_old_prices_are_warned_of() -> None:
    assert age_warning("L4", "AWS", "2026-11-01", TODAY) is None
    assert age_warning("L4", "AWS", "2026-04-07", TODAY) == (
        "the price of L4 from AWS is 228 days old: ask for it again before you rely on it"
    )
    assert age_warning("L4", "AWS", "2026", TODAY) == (
        "the price of L4 from AWS is 0 to 324 days old (known only as 2026): ask for it again before you rely on it"
    )


def test_what_the_plan_was_told_outranks_the_usual_file(tmp_path: Path, a100: Plan) -> None:
    file = written(tmp_path, OURS)
    told = a100.model_copy(update={"request": a100.request.model_copy(update={"price": Price(usd_per_hour=1.5)})})
    assert price_of_plan(told, Pricing(usual_file=file)).usd_per_hour == 1.5
    assert price_of_plan(told, Pricing(file=file)).usd_per_hour == 1.10
    assert price_of_plan(a100, Pricing(usual_file=file)).usd_per_hour == 1.10


def test_a_reserved_price_says_what_it_commits_to_and_when_it_pays_off(tmp_path: Path, a100: Plan) -> None:
    """$1.10 reserved against Verda's $1.29 on demand: from 85 % of the hours on. 12 months of one A100 are $9,636."""
    file = written(tmp_path, OURS)
    found = compared(a100, pricing=Pricing(file=file), requests_per_s=0.1)
    steps = {step.name: step for step in derivation(found.cases[0])}
    assert steps["committed for the whole term"].arithmetic == "$803.00 a month x 12 months, used or not"
    assert steps["committed for the whole term"].result == "$9,636"
    assert (
        "reserving for plan A pays off against Verda on demand ($1.29) only where machines are needed more than 85% of "
        "the hours"
    ) in warnings(found)
    assert "Our contract reserved: paid for the whole term, used or not" in warnings(found)
