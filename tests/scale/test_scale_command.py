"""`quantplan scale`: a plan's day and a fleet's day from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.cli.scale_command import command
from planner.errors import BadInput
from planner.planning import make_plan
from planner.request import Price, Request, ServiceLevel, Workload
from planner.scale.answering import Question, pool_of, predicted_start_s
from planner.scale.trace import drawn_day

REQUEST = Request(
    model="llama-3.1-8b",
    hardware="1xL4",
    workload=Workload(concurrency=32),
    service_level=ServiceLevel(ttft_ms=5000, tpot_ms=150),
)


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plans") / "plan.json"
    make_plan(REQUEST).write(path)
    return path


def ran(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_a_day_of_a_plan(plan_file: Path, tmp_path: Path) -> None:
    picture = tmp_path / "day.svg"
    done = ran(plan_file, "--peak", "5/s", "--least", 2, "--plot", picture, "--json")
    assert done.exit_code == 0, done.output
    (day,) = json.loads(done.stdout)
    assert 0.9 < day["attainment"] <= 1 and day["targets"]["tpot_ms"] == 150
    assert day["peak_copies"] >= 2 and day["usd"] > 0
    assert day["requests"] == pytest.approx(5 * 86_400 * 0.64, rel=0.05)  # a wave from a quarter, and bursts
    assert day["usd_per_month"] == pytest.approx(day["usd"] * 365 / 12)
    assert picture.read_text().startswith("<svg")


def test_spot_needs_a_price(plan_file: Path) -> None:
    with pytest.raises(BadInput) as caught:
        CliRunner().invoke(command, [str(plan_file), "--peak", "5/s", "--spot-share", "0.5"], catch_exceptions=False)
    assert str(caught.value) == "no spot price for L4\nTo fix: give --spot-usd-per-hour: the price of one accelerator"


def test_traffic_comes_from_one_place(plan_file: Path) -> None:
    with pytest.raises(BadInput, match="a day's traffic is drawn or read\nTo fix: give one of --peak 50/s and --trace"):
        CliRunner().invoke(command, [str(plan_file)], catch_exceptions=False)


def test_start_price_and_failures_are_the_plans() -> None:
    plan = make_plan(REQUEST.model_copy(update={"price": Price(usd_per_hour=3.0)}))
    pool = pool_of(plan, drawn_day(5.0, 1), Question(gpus_per_node=8), "p")
    assert pool.rent.usd_per_hour == 3.0 and pool.copies_per_node == 8
    assert pool.node_mtbf_hours == pytest.approx(50_700 / 8)
    weights_gb = (plan.chosen.predicted("weights_gib").value or 0) * 2**30 / 1e9
    assert pool.start_s == predicted_start_s(plan) == pytest.approx(60 + weights_gb / 0.1, rel=0.01)
    assert pool.autoscaler.most * pool.curve.capacity_per_s * 0.7 >= 5.0


def test_a_day_of_a_fleet(tmp_path: Path) -> None:
    pytest.importorskip("highspy")
    cluster, fleet = tmp_path / "cluster.yaml", tmp_path / "fleet.yaml"
    cluster.write_text("nodes:\n  - {name: l4, gpu: L4, gpus: 4, count: 12}\n")
    fleet.write_text("models:\n  - {model: llama-3.1-8b, requests_per_s: 5, tpot_ms: 150, min_replicas: 2}\n")
    done = ran(fleet, "--cluster", cluster, "--json")
    assert done.exit_code == 0, done.output
    days = json.loads(done.stdout)
    assert all(day["name"].startswith("llama-3.1-8b-l4") and day["attainment"] > 0.9 for day in days)
    requests = sum(day["requests"] for day in days)
    assert 5 * 86_400 * 0.64 / 1.5 * 0.9 < requests < 5 * 86_400 * 0.64  # of a wave whose bursts are the planned load
