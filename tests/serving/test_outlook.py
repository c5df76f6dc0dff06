"""What a plan says of an open load, and the loads that are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.cli.main import cli
from planner.plan import Outlook, Plan
from planner.planning import make_plan
from planner.request import Request, ServiceLevel, Workload
from planner.serving.outlook import with_outlook

TARGETS = ServiceLevel(ttft_ms=500, percentile="p95")


def asked(hardware: str = "1xH100-80GB", **load: float) -> Plan:
    workload = Workload(concurrency=64, **load)
    return make_plan(Request(model="llama-3.1-8b", hardware=hardware, workload=workload, service_level=TARGETS))


def outlook(**load: float) -> Outlook:
    found = with_outlook(asked(**load)).outlook
    assert found is not None
    return found


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_waits_by_percentile_and_the_largest_load_within_the_targets() -> None:
    found = outlook(requests_per_s=4)
    assert found.ttft_ms and found.tpot_ms and found.end_to_end_ms
    assert found.ttft_ms.p50 <= found.ttft_ms.p95 <= found.ttft_ms.p99
    assert found.capacity_requests_per_s and found.largest_requests_per_s
    assert 4 < found.largest_requests_per_s <= found.capacity_requests_per_s
    assert found.replicas_needed == 1


def test_a_load_above_the_capacity_has_no_waits_but_a_number_of_copies() -> None:
    found = outlook(requests_per_s=100)
    assert found.ttft_ms is None and found.largest_requests_per_s
    assert found.replicas_needed == -(-100 // found.largest_requests_per_s)


def test_prefix_hits_shorten_the_wait_for_the_first_token() -> None:
    cold, warm = outlook(requests_per_s=4), outlook(requests_per_s=4, prefix_hit_rate=0.9)
    assert cold.ttft_ms and warm.ttft_ms and warm.ttft_ms.mean < cold.ttft_ms.mean


def test_where_nothing_can_be_simulated_it_says_why() -> None:
    request = Request(model="llama-3.1-8b", hardware="cpu:64GB", workload=Workload(requests_per_s=1))
    found = with_outlook(make_plan(request)).outlook
    assert found == Outlook(
        requests_per_s=1,
        abstained="llama.cpp on cpu:64GB cannot be simulated: only continuous batching on accelerators is",
    )


def test_a_plan_asked_for_no_rate_is_not_simulated() -> None:
    plan = asked()
    assert with_outlook(plan) is plan


def test_the_plan_tells_it_and_simulate_takes_the_load_and_targets_from_the_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    asking = ("plan", "llama-3.1-8b", "--on", "1xL4", "--requests-per-s", "0.3", "--ttft-ms", "900")
    told = run(*asking, "--percentile", "p95", "--out", str(path))
    assert told.exit_code == 0, told.output
    assert "Under load (0.3 requests/s arriving at random, simulated)" in told.output
    written = json.loads(path.read_text())["outlook"]
    simulated = json.loads(run("simulate", str(path), "--json").output)
    assert simulated["asked"]["ttft_ms"] == written["ttft_ms"]
    assert simulated["largest_requests_per_s_within_targets"] == written["largest_requests_per_s"]


def test_where_too_few_are_let_in_for_the_rate_the_plan_says_how_many_the_cache_holds() -> None:
    told = run("plan", "llama-3.1-8b", "--on", "1xL4", "--requests-per-s", "1", "--concurrency", "8", "--json")
    hint = "At most 8 sequences at once are taken in, while the KV cache holds 71 like these: try --max-num-seqs 71"
    assert json.loads(told.output)["outlook"]["hint"] == hint


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--requests-per-s", "0", "--requests-per-s 0.0: input should be greater than or equal to 0.000001"),
        ("--requests-per-s", "-3", "--requests-per-s -3.0: input should be greater than or equal to 0.000001"),
        ("--requests-per-s", "nan", "--requests-per-s nan: input should be a finite number"),
        ("--prefix-hit-rate", "1", "--prefix-hit-rate 1.0: input should be less than 1"),
        ("--prefix-hit-rate", "-0.1", "--prefix-hit-rate -0.1: input should be greater than or equal to 0"),
        ("--usd-per-hour", "-1", "--usd-per-hour -1.0: input should be greater than or equal to 0"),
        ("--utilisation", "0", "--utilisation 0.0: input should be greater than or equal to 0.001"),
    ],
)
def test_what_cannot_be_asked(option: str, value: str, says: str) -> None:
    answer = run("plan", "llama-3.1-8b", "--on", "1xL4", option, value)
    assert says in str(answer.exception or answer.output)


def test_targets_that_one_request_alone_misses_are_met_by_no_number_of_copies() -> None:
    plan = asked(requests_per_s=4)
    level = ServiceLevel(tpot_ms=0.1)
    hurried = plan.model_copy(update={"request": plan.request.model_copy(update={"service_level": level})})
    found = with_outlook(hurried).outlook
    assert found and found.largest_requests_per_s is None and found.replicas_needed is None
