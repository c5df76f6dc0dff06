"""`quantplan cost` and `quantplan prices` as a user meets them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from planner.cli.main import cli
from planner.errors import BadInput
from planner.plan import Plan
from planner.ports import RunRecord
from tests.cost.conftest import run_of


@pytest.fixture
def files(a100: Plan, h100: Plan, tmp_path: Path) -> tuple[str, str]:
    paths = (tmp_path / "a.json", tmp_path / "b.json")
    for plan, path in zip((a100, h100), paths, strict=True):
        plan.write(path)
    return str(paths[0]), str(paths[1])


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_a_comparison_in_the_terminal(files: tuple[str, str]) -> None:
    said = ask("cost", *files, "--requests-per-s", "2", "--api-price", "0.6,2.4").output
    for part in (
        "USD per 1M output tokens, if they carry the whole cost",
        "told apart by the machine's time",
        "A month at 2 requests/s",
        "From price to dollar, plan",
        "Spheron, on-demand, 2026-04-07",
        "days old: ask for it again",
        "All amounts are US dollars (USD)",
    ):
        assert part in said


def test_all_kinds_of_report_at_once(files: tuple[str, str], tmp_path: Path) -> None:
    outs = [tmp_path / f"r{ending}" for ending in (".html", ".xlsx", ".csv", ".md")]
    arguments = [word for out in outs for word in ("--out", str(out))]
    said = ask("cost", *files, *arguments).output
    for out in outs:
        assert out.stat().st_size > 500
        assert str(out) in said.replace("\n", "")


def test_json_is_json(files: tuple[str, str]) -> None:
    found = json.loads(ask("cost", files[0], "--json").output)
    assert found["plans"][0]["usd_per_hour"] == 1.64


def test_a_price_of_another_kind_and_provider(files: tuple[str, str]) -> None:
    found = json.loads(ask("cost", files[1], "--kind", "spot", "--provider", "Nebius", "--json").output)
    assert found["plans"][0]["price"]["label"] == "Nebius, spot, 2026"
    assert any("the provider may take the machine back" in warning for warning in found["warnings"])


def test_a_measured_run_takes_the_place_of_the_prediction(
    files: tuple[str, str], a100: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Runs:
        def show(self, run_id: str) -> RunRecord:
            return run_of(a100, 1800.0, run_id)

    monkeypatch.setattr("planner.ports.find_executor", lambda: Runs())
    found = json.loads(ask("cost", *files, "--run", "r7", "--json").output)
    assert [plan["measured_in_run"] for plan in found["plans"]] == ["r7", None]
    assert f"{found['plans'][0]['usd_per_1m_tokens']['all_on_output']:.3f}" == "0.253"


def test_owning_in_the_terminal(files: tuple[str, str]) -> None:
    said = ask("cost", files[0], "--purchase-usd", "15000", "--years", "4", "--watts", "400").output
    assert "$15,000 / (4 years x 8,760 h)" in said
    assert "an hour's electricity" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "no plan is named\nTo fix: quantplan cost plan.json, or quantplan cost --run RUN_ID"),
        (("--years", "4"), "--years is about owning, and no purchase price is given\nTo fix: add --purchase-usd USD"),
        (
            ("--purchase-usd", "9", "--years", "4", "--kind", "spot"),
            "--kind is about renting and --purchase-usd about owning\nTo fix: leave out one of them",
        ),
        (("--purchase-usd", "dear"), "--purchase-usd dear: no price\n"
         "To fix: give --purchase-usd 15000, or --purchase-usd L40S=8000"),
    ],
)  # fmt: skip
def test_what_is_refused(arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadInput) as refused:
        ask("cost", *arguments)
    assert str(refused.value) == says


def test_an_unknown_provider_is_refused_with_the_nearest(files: tuple[str, str]) -> None:
    with pytest.raises(BadInput, match="no prices of provider 'Lamda'\nDid you mean: Lambda"):
        ask("cost", files[0], "--provider", "Lamda")


def prices(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ask("prices", *arguments, "--json").output)
    return found


def test_prices_by_accelerator_provider_and_kind() -> None:
    found = prices("--gpu", "h100-80gb-sxm", "--kind", "spot")
    assert [(line["provider"], line["usd_per_hour"]) for line in found] == [("Verda", 0.8015), ("Nebius", 1.25)]
    assert {line["currency"] for line in found} == {"USD"}
    assert all(line["age_days"][1] >= 0 for line in found)
    assert {line["provider"] for line in prices("--provider", "lambda")} == {"Lambda"}


def test_prices_that_are_not_there() -> None:
    with pytest.raises(BadInput) as refused:
        ask("prices", "--gpu", "H300")
    assert str(refused.value).startswith("no price of the accelerator 'H300'\nDid you mean: ")
    assert str(refused.value).endswith("To fix: `quantplan prices` without --gpu lists them all")


def test_the_table_as_csv_is_a_price_file(tmp_path: Path) -> None:
    printed = ask("prices", "--gpu", "L40S", "--csv").output
    assert next(row["name"] for row in csv.DictReader(io.StringIO(printed))) == "L40S"
    path = tmp_path / "mine.csv"
    path.write_text(printed.replace("1.5484", "1.2"), encoding="utf-8")
    found = prices("--gpu", "L40S", "--prices", str(path))
    assert found[1]["usd_per_hour"] == 0.79 and str(path) in {line["file"] for line in found}


def test_the_price_table_in_the_terminal_marks_old_prices() -> None:
    said = ask("prices", "--gpu", "L40S").output
    assert "older than 180 days" in said and "Spheron" not in said
