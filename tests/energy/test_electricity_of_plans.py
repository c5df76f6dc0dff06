"""Power on a plan: as predictions, as a line of the terminal view, in what an owned machine costs, and after a run."""

from __future__ import annotations

import pytest

from executor.findings import findings_of
from planner.costs.pricing import Owning, Pricing, price_of_plan
from planner.energy.electricity import electricity_usd_of, site_electricity
from planner.energy.predicting import TDP_BOUND
from planner.energy.telling import energy_lines
from planner.plan import Candidate, Plan
from planner.planning import make_plan
from planner.request import Request, Workload


def plan_on(hardware: str) -> Plan:
    workload = Workload(input_tokens=200, output_tokens=400, concurrency=16)
    return make_plan(Request(model="llama-3.1-8b", hardware=hardware, format="bf16", workload=workload))


@pytest.fixture(scope="module")
def h100() -> Plan:
    return plan_on("1xH100-80GB-SXM")


@pytest.fixture(scope="module")
def l40s() -> Plan:
    return plan_on("1xL40S")


def told(candidate: Candidate) -> dict[str, float | None]:
    return {p.name: p.value for p in candidate.predictions}


def test_a_plan_predicts_a_published_run(h100: Plan) -> None:
    """ML.ENERGY v3: Llama-3.1-8B-Instruct, BF16, vLLM, one H100, 16 requests: 513 W and 0.263 J a token."""
    watts = h100.chosen.predicted("watts_per_accelerator")
    joules = h100.chosen.predicted("joules_per_output_token")
    assert watts.low < 513 < watts.high and watts.value == pytest.approx(513, rel=0.15)
    assert joules.low < 0.263 < joules.high
    assert (watts.unit, joules.unit) == ("W", "J")


def test_joules_are_watts_over_tokens_a_second(h100: Plan) -> None:
    figures = told(h100.chosen)
    assert figures["watts_per_accelerator"] / figures["output_tokens_per_s"] == pytest.approx(
        figures["joules_per_output_token"]
    )


def test_replicas_do_not_change_the_energy_of_a_token(h100: Plan) -> None:
    """Two copies with twice the requests draw twice the power and make twice the tokens."""
    workload = Workload(input_tokens=200, output_tokens=400, concurrency=32)
    two = make_plan(Request(model="llama-3.1-8b", hardware="2xH100-80GB-SXM", format="bf16", workload=workload))
    assert two.chosen.replicas == 2
    assert told(two.chosen)["joules_per_output_token"] == pytest.approx(told(h100.chosen)["joules_per_output_token"])


def test_every_way_on_says_something_of_power(h100: Plan) -> None:
    for rung in h100.ladder:
        watts = h100.on_rung(rung).chosen.predicted("watts_per_accelerator")
        assert watts.value is not None or watts.abstained


def test_the_terminal_line_by_hand(h100: Plan) -> None:
    chosen = h100.chosen
    watts, joules = chosen.predicted("watts_per_accelerator"), chosen.predicted("joules_per_output_token")
    known = (
        watts.model_copy(update={"value": 500.0, "low": 400.0, "high": 600.0}),
        joules.model_copy(update={"value": 3.6, "low": 3.0, "high": 4.0}),
    )
    line, sources = energy_lines(chosen.model_copy(update={"predictions": known}))
    assert line == (
        "500 W per accelerator (400 to 600), 3.6 J per output token (3 to 4): electricity $0.127 per 1M output tokens"
    )
    assert "accelerators only; electricity at $0.0806 per kWh x 1.58 for the site" in sources
    assert "U.S. Energy Information Administration" in sources and "2024-03-18" in sources


def test_a_kilowatt_hour_for_a_million_tokens_of_3_6_joules() -> None:
    """3.6 J a token is 1 kWh for a million: at 8.06 cents and 1.58 W for each watt, 12.7 cents."""
    site = site_electricity()
    cost = electricity_usd_of(3.6, site.usd_per_kwh, site.power_usage_effectiveness)
    assert cost == pytest.approx(0.0806 * 1.58)


def test_without_measurements_the_line_tells_the_bound(l40s: Plan) -> None:
    watts = l40s.chosen.predicted("watts_per_accelerator")
    assert (watts.value, watts.high, watts.source) == (None, 350, TDP_BOUND)
    (line,) = energy_lines(l40s.chosen)
    assert line.startswith("at most 350 W per accelerator and ")
    assert line.endswith("(bound by the TDP): no power measurements of Ada accelerators are known")


def test_on_a_cpu_power_is_unknown() -> None:
    assert energy_lines(plan_on("cpu:64GB").chosen) == ("unknown: no power measurements of CPU hosts are known",)


def test_a_plan_from_before_says_nothing(h100: Plan) -> None:
    assert energy_lines(h100.chosen.model_copy(update={"predictions": ()})) == ()


def test_an_owned_machine_draws_what_is_predicted(h100: Plan) -> None:
    hourly = price_of_plan(h100, Pricing(owning=Owning({"": 25000.0}, years=4)))
    assert hourly.ownership is not None
    watts = h100.chosen.predicted("watts_per_accelerator")
    assert hourly.ownership.watts == pytest.approx(watts.value, abs=0.5)
    assert hourly.ownership.power_source.startswith("power: predicted under the plan's load (")


def test_what_is_not_predicted_or_is_given_is_said(h100: Plan, l40s: Plan) -> None:
    by_tdp = price_of_plan(l40s, Pricing(owning=Owning({"": 8000.0}, years=4))).ownership
    given = price_of_plan(h100, Pricing(owning=Owning({"": 25000.0}, years=4, watts=640))).ownership
    assert by_tdp is not None and given is not None
    assert (by_tdp.watts, by_tdp.power_source) == (350, "power: TDP of L40S, an upper bound")
    assert (given.watts, given.power_source) == (640, "power as given")


def test_a_run_that_measures_no_power_says_so(h100: Plan) -> None:
    findings = {finding.name: finding for finding in findings_of(h100, {})}
    for name in ("watts_per_accelerator", "joules_per_output_token"):
        assert findings[name].predicted is not None
        assert (findings[name].measured, findings[name].inside) == (None, None)
        assert findings[name].note == "not measured in this run"
