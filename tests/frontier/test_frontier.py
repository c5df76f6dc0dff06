"""The frontier: its figures are the planner's own, its vetoes the book's, and what it says is true."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from planner.cli.main import cli
from planner.errors import BadInput
from planner.frontier.frontier import Frontier, make_frontier
from planner.frontier.picture import picture
from planner.frontier.runs import counted_at
from planner.frontier.writing import as_csv, as_json
from planner.hardware.resolving import resolve_hardware
from planner.models.resolving import resolve_model
from planner.planning.assessing import Assessor, Layout
from planner.planning.deciding import Choice
from planner.request import Price, Request, ServiceLevel, Workload
from planner.unfeasible import NoFeasiblePlan

NAMED = ["1xA100-80GB-SXM", "1xH100-80GB-SXM", "4xL40S"]


def request(**more: Any) -> Request:
    return Request(model="llama-3.1-70b", hardware=",".join(NAMED), **more)


@pytest.fixture(scope="module")
def found() -> Frontier:
    return make_frontier(request(service_level=ServiceLevel(tpot_ms=60)), NAMED)


def test_every_figure_is_what_the_planner_says_of_that_candidate(found: Frontier) -> None:
    """A few candidates of every place, engine and batch, asked one by one."""
    model, swept = resolve_model("llama-3.1-70b"), found.swept
    checked = 0
    for number in range(0, len(swept), 97):
        run, batch = swept.runs[swept.which[number]], int(swept.batch[number])
        workload = Workload(concurrency=batch * run.replicas)
        hardware = resolve_hardware(run.place.hardware.label)
        asked = Request(model="llama-3.1-70b", hardware=hardware.label, workload=workload)
        choice = Choice(run.offer.format, run.offer.engine, run.offer.kv_format)
        found_alone = Assessor(model, hardware, asked).assess(choice, Layout(run.tensor_parallel, run.replicas))
        rate = found_alone.speed.output_tokens_per_s.value
        if rate is None:
            assert np.isnan(swept.tokens_per_s[number])
            continue
        assert found_alone.memory.fits
        assert swept.tokens_per_s[number] == pytest.approx(rate, rel=1e-6)
        assert swept.speeds.tpot_ms[number] == pytest.approx(found_alone.speed.tpot_ms.value, rel=1e-6)
        assert swept.usd_per_1m[number] == pytest.approx(found_alone.usd_per_1m_output_tokens, rel=1e-6)
        checked += 1
    assert checked > 10


def test_room_is_what_sizing_says_where_it_is_counted(found: Frontier) -> None:
    model = resolve_model("llama-3.1-70b")
    for run in found.swept.runs[::9]:
        for batch, room in zip(counted_at(), run.room, strict=True):
            workload = Workload(concurrency=batch * run.replicas)
            hardware = resolve_hardware(run.place.hardware.label)
            asked = Request(model="llama-3.1-70b", hardware=hardware.label, workload=workload)
            choice = Choice(run.offer.format, run.offer.engine, run.offer.kv_format)
            memory = Assessor(model, hardware, asked).memory(choice, Layout(run.tensor_parallel, run.replicas))
            assert max(room, 0) == pytest.approx(memory.max_concurrency, rel=1e-6), (run.offer, batch)


def test_the_set_meets_the_targets_and_holds_nothing_avoided(found: Frontier) -> None:
    assert found.points
    assert all(point.tpot_ms <= 60 and not point.reason for point in found.points)
    assert all(point.reason for point in found.avoided)


def test_nothing_that_is_allowed_beats_a_point_of_the_set(found: Frontier) -> None:
    swept = found.swept
    allowed = np.flatnonzero(swept.meets & ~swept.avoided)
    for number in swept.order[::5]:
        better = (
            (swept.usd_per_1m[allowed] < swept.usd_per_1m[number])
            & (swept.speeds.tpot_ms[allowed] < swept.speeds.tpot_ms[number])
            & (swept.losses[allowed] <= swept.losses[number])
        )
        assert not better.any()


@pytest.mark.parametrize(
    ("objective", "key"),
    [
        ("cost", lambda point: point.usd_per_1m_output_tokens),
        ("latency", lambda point: point.tpot_ms),
        ("throughput", lambda point: -point.output_tokens_per_s),
    ],
)
def test_the_objective_orders_the_set(objective: str, key: Any) -> None:
    points = make_frontier(request(objective=objective), NAMED).points
    assert points[0].is_best
    assert [key(point) for point in points] == sorted(key(point) for point in points)


def test_by_quality_sixteen_bits_come_first() -> None:
    points = make_frontier(request(objective="quality"), ["4xH100-80GB-SXM"]).points
    assert (points[0].format, points[0].kv_cache) == ("bf16", "16-bit")


def test_the_rule_books_choice_is_marked_and_the_disagreement_said(found: Frontier) -> None:
    choices = {point.accelerator: point for point in found.choices}
    assert choices["A100-80GB-SXM"].format == "awq-int4"
    assert all(point.is_rule_choice for point in found.choices)
    assert found.disagreement.startswith("The decision tree")
    assert found.disagreement.count(". ") == 0, "one sentence"


def test_any_hardware_sweeps_what_has_a_price_of_that_kind() -> None:
    spot = make_frontier(request(price=Price(kind="spot"), objective="cost"), ["any"])
    kinds = {run.place.hourly.kind for run in spot.swept.runs}
    assert kinds == {"spot"}
    assert {run.tensor_parallel for run in spot.swept.runs} == {1, 2, 4, 8}


def test_what_is_insisted_on_is_all_that_is_swept() -> None:
    only = make_frontier(request(format="awq-int4", engine="vllm", tensor_parallel=1), NAMED)
    assert {(r.offer.format, r.offer.engine, r.tensor_parallel) for r in only.swept.runs} == {("awq-int4", "vllm", 1)}


def test_a_format_insisted_on_is_not_avoided() -> None:
    small = replace_model(request(format="awq-int4"), "llama-3.2-1b")
    assert make_frontier(small, ["1xL40S"]).points


def replace_model(asked: Request, model: str) -> Request:
    return asked.model_copy(update={"model": model})


def test_targets_nothing_meets_are_refused_with_what_there_is() -> None:
    with pytest.raises(NoFeasiblePlan) as refused:
        make_frontier(request(service_level=ServiceLevel(tpot_ms=1)), NAMED)
    said = str(refused.value)
    assert "candidates for llama-3.1-70b meets time per output token 1 ms (the least is " in said
    assert "To fix: ask for --tpot-ms " in said


def test_a_cpu_and_hardware_without_a_price_are_refused() -> None:
    with pytest.raises(BadInput) as refused:
        make_frontier(request(), ["cpu:64GB"])
    assert str(refused.value).endswith(
        "is a CPU: a frontier is over accelerators\nTo fix: name accelerators: --on 1xA100-80GB,1xL40S"
    )
    with pytest.raises(BadInput) as refused:
        make_frontier(request(), ["1xMI250X"])
    assert str(refused.value) == (
        "no price is known for MI250X, so its cost cannot be compared\n"
        "To fix: give --usd-per-hour, or a price file with a line for it (--prices FILE)"
    )


def test_a_model_too_large_is_refused() -> None:
    with pytest.raises(NoFeasiblePlan, match=r"llama-3.1-70b fits nowhere of 1xT4"):
        make_frontier(request(), ["1xT4"])


def test_json_csv_and_picture(found: Frontier, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert len(rows) >= len(found.points) and rows[0]["is_best"] == "True"
    plain: Any = as_json(found)
    assert plain["currency"] == "USD" and len(plain["frontier"]) == len(found.points)
    json.dumps(plain)
    drawn = picture(found)
    drawn.write(tmp_path / "f.svg")
    svg = (tmp_path / "f.svg").read_text()
    assert svg.count("<use") > len(found.points) and "target 60 ms" in svg
    import re

    assert set(re.findall(r"https?://[^\s\"<]+", svg)) == {"http://www.w3.org/2000/svg"}
    (chart,) = drawn.charts
    marks = [mark for scatter in chart.scatters for mark in scatter.marks]
    assert all(chart.x.low < mark.x < chart.x.high and chart.y.low < mark.y < chart.y.high for mark in marks)
    coloured = [mark for scatter in chart.scatters if scatter.shape == "dot" for mark in scatter.marks]
    assert len(coloured) == len(found.points)


def test_the_command(tmp_path: Path) -> None:
    plot = str(tmp_path / "f.svg")
    arguments = [
        "plan",
        "llama-3.1-8b",
        "--on",
        "1xL40S,1xA100-80GB-SXM",
        "--frontier",
        "--tpot-ms",
        "40",
        "--plot",
        plot,
    ]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert "are beaten by nothing; best by cost first" in result.output
    assert "The rule book's choice" in result.output
    assert Path(plot).is_file()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--on", "1xL40S,1xL4"], "--on 1xL40S,1xL4: a plan is for one kind of hardware\n"
         "To fix: name one, or add --frontier to compare several"),
        (["--on", "1xL40S", "--plot", "f.svg"], "--plot shows a frontier\nTo fix: add --frontier, or leave it out"),
        (["--on", "1xL40S", "--frontier", "--out", "p.json"], "--out writes a plan, and a frontier is many\n"
         "To fix: choose one of its points and plan it: leave out --frontier"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together(more: list[str], says: str) -> None:
    with pytest.raises(BadInput) as refused:
        CliRunner().invoke(cli, ["plan", "llama-3.1-8b", *more], catch_exceptions=False)
    assert str(refused.value) == says


def test_one_price_for_several_kinds_of_accelerator_is_refused() -> None:
    with pytest.raises(BadInput) as refused:
        make_frontier(request(price=Price(usd_per_hour=2.0)), NAMED)
    assert str(refused.value) == (
        "--usd-per-hour is the price of one kind of accelerator, and --on names several\n"
        "To fix: put a line for each into a price file (--prices FILE)"
    )
    alone = make_frontier(request(price=Price(usd_per_hour=2.0)), ["1xA100-80GB-SXM"])
    assert {point.usd_per_hour for point in alone.points} == {2.0}


def test_of_any_hardware_a_provider_must_be_known_and_rent_something() -> None:
    with pytest.raises(BadInput, match="no prices of provider 'Lamda'"):
        make_frontier(request(price=Price(provider="Lamda")), ["any"])
    with pytest.raises(BadInput) as refused:
        make_frontier(request(price=Price(provider="Lambda", kind="spot")), ["any"])
    assert str(refused.value) == (
        "no accelerator has a price: Lambda spot\nTo fix: `quantplan prices` lists what there is"
    )


def test_at_a_load_copies_are_counted_as_the_cost_of_a_plan_counts_them() -> None:
    """4 requests/s of 300 tokens are 1,200 tokens a second: as many whole copies as make that."""
    load = Workload(requests_per_s=4)
    found = make_frontier(Request(model="llama-3.1-8b", hardware="any", workload=load), ["any"])
    for point in found.points:
        copies, one = point.replicas, point.output_tokens_per_s / point.replicas
        assert copies * one >= 1200 > (copies - 1) * one
        assert point.accelerators == copies * point.tensor_parallel
        assert point.usd_per_month == pytest.approx(point.usd_per_hour * 730, rel=0.01)
        assert point.usd_per_request == pytest.approx(point.usd_per_hour / (4 * 3600))
        assert point.usd_per_1m_output_tokens == pytest.approx(point.usd_per_request * 1e6 / 300, rel=1e-6)
        assert point.busy == pytest.approx(1200 / point.output_tokens_per_s)
        assert point.usd_per_1m_low <= point.usd_per_1m_output_tokens <= point.usd_per_1m_high
    full = make_frontier(Request(model="llama-3.1-8b", hardware="any"), ["any"])
    assert found.points[0].usd_per_1m_output_tokens >= full.points[0].usd_per_1m_output_tokens


def test_a_planned_utilisation_takes_more_copies_for_the_same_load() -> None:
    asked = Request(model="llama-3.1-8b", hardware="any", workload=Workload(requests_per_s=40))
    relaxed = asked.model_copy(update={"price": Price(utilisation=0.5)})
    full, half = make_frontier(asked, ["any"]).points[0], make_frontier(relaxed, ["any"]).points[0]
    assert half.usd_per_month is not None and full.usd_per_month is not None
    assert half.usd_per_month > full.usd_per_month
    assert half.busy is not None and half.busy <= 0.5


def test_named_machines_that_cannot_serve_the_load_are_refused() -> None:
    asked = Request(model="llama-3.1-8b", hardware="1xL40S", workload=Workload(requests_per_s=500))
    with pytest.raises(NoFeasiblePlan) as raised:
        make_frontier(asked, ["1xL40S"])
    assert "serves 500 requests/s (the most is " in str(raised.value)
    assert raised.value.fix == "name more accelerators, or --on any, which takes as many copies as the load needs"


def test_the_command_shows_what_a_load_costs_a_month() -> None:
    args = ["plan", "llama-3.1-8b", "--on", "2xL40S", "--frontier", "--requests-per-s", "5"]
    shown = CliRunner().invoke(cli, args)
    assert shown.exit_code == 0, shown.output
    assert "costs at 5 requests/s, whole copies counted" in shown.output and "$/month" in shown.output
    plain = json.loads(CliRunner().invoke(cli, [*args, "--json"]).output)
    assert all(point["busy"] <= 1 and point["usd_per_request"] > 0 for point in plain["frontier"])


def test_a_bound_of_a_datasheet_beats_no_prediction() -> None:
    """bitsandbytes was measured on transformers alone: what vLLM would make of it is a bound, and leads no set."""
    found = make_frontier(Request(model="llama-3.1-8b", hardware="1xRTX-5090"), ["1xRTX-5090"])
    kernels = {found.swept.runs[found.swept.which[number]].offer.kernel.name for number in found.swept.order}
    assert kernels and not any(kernel.startswith("bitsandbytes") for kernel in kernels)
    alone = make_frontier(Request(model="llama-3.1-8b", hardware="1xRTX-5090", format="int8-bnb"), ["1xRTX-5090"])
    assert alone.points and all(point.kernel == "bitsandbytes-int8" for point in alone.points)
