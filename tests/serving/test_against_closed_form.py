"""The simulation and the closed form of planner/speed, which know nothing of each other, on a grid of loads."""

from itertools import product
from statistics import median

import pytest
from click.testing import CliRunner

from planner.cli.simulate_command import command
from planner.cli.simulate_options import requests_per_s
from planner.errors import BadInput
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request, Workload
from planner.serving.from_plan import server_of
from planner.serving.lengths import Lognormal
from planner.serving.simulating import simulate
from planner.serving.traffic import Traffic

GRID = tuple(product((256, 1024, 4096), (128, 512), (1, 8, 32)))
SPREAD = 0.3


def plan_of(input_tokens: int, output_tokens: int, concurrency: int, **more: str) -> Plan:
    workload = Workload(input_tokens=input_tokens, output_tokens=output_tokens, concurrency=concurrency)
    return make_plan(Request(model="llama-3.1-8b", hardware="1xH100-80GB", workload=workload, **more))


def test_throughput_and_waits_agree_with_the_closed_form():
    """Medians are below 1 % (TTFT 6 %). They part by a fifth for 32 clients, 256 tokens in and 128 out: prompts that
    come one by one pay a pass's launches each, where the closed form reads them in full chunks."""
    ttft, tpot, tokens = [], [], []
    for load in GRID:
        plan = plan_of(*load)
        found = simulate(
            server_of(plan), Traffic(*load[:2], clients=load[2], lengths=Lognormal(*load[:2], SPREAD)), requests=200
        )
        for errors, name, value in (
            (ttft, "ttft_ms", found.ttft_ms.mean),
            (tpot, "tpot_ms", found.tpot_ms.mean),
            (tokens, "output_tokens_per_s", found.output_tokens_per_s),
        ):
            expected = plan.chosen.predicted(name).value
            assert expected is not None
            errors.append(abs(value / expected - 1))

    assert median(ttft) < 0.10
    assert median(tpot) < 0.02 and max(tpot) < 0.25
    assert median(tokens) < 0.02 and max(tokens) < 0.20


def test_the_command_answers_with_percentiles_and_says_when_a_load_is_too_much(tmp_path):
    path = tmp_path / "plan.json"
    plan_of(1000, 300, 16).write(path)
    shown = CliRunner().invoke(command, [str(path), "--rate", "1/s", "--ttft-ms", "300", "--percentile", "95"])
    assert shown.exit_code == 0, shown.output
    assert "Meets the targets up to" in shown.output and "p99" in shown.output
    flooded = CliRunner().invoke(command, [str(path), "--rate", "500/s"])
    assert "the server cannot keep up: load 500 requests/s > capacity" in " ".join(flooded.output.split())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("-5/s", "--rate -5/s: a load is above zero\nTo fix: write --rate 5/s or --rate 300/min"),
        ("fast", "--rate 'fast' is not a rate\nTo fix: write --rate 5/s or --rate 300/min"),
    ],
)
def test_a_rate_that_is_none_is_refused(text, says):
    with pytest.raises(BadInput) as refusal:
        requests_per_s(text)
    assert str(refusal.value) == says


def test_rates_by_the_minute():
    assert requests_per_s("300/min") == 5


def test_an_engine_without_a_scheduler_is_refused():
    plan = plan_of(1000, 300, 2, engine="transformers")
    with pytest.raises(BadInput, match="transformers on 1xH100-80GB-SXM cannot be simulated"):
        server_of(plan)
