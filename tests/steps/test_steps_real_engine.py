"""The whole path once with the real llama.cpp on the model that ships: what was planned is what came out."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from executor.artifacts import sha256_of
from executor.local import DEMO_MODEL, LocalExecutor
from executor.report import Report
from planner.planning import make_plan
from planner.ports import Event, FindingRecord, RunRecord
from planner.request import Request, Workload

pytestmark = pytest.mark.real_engine


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def original() -> dict[str, str]:
    return {path.name: sha256_of(path) for path in DEMO_MODEL.iterdir()}


@pytest.fixture(scope="module")
def record(home: Path, original: dict[str, str]) -> RunRecord:
    workload = Workload(input_tokens=128, output_tokens=32, concurrency=4)
    plan = make_plan(Request(model=str(DEMO_MODEL), hardware="here", workload=workload))
    return LocalExecutor(home).apply(plan, on_event=lambda event: None)


def finding(record: RunRecord, name: str) -> FindingRecord:
    return next(finding for finding in record.findings if finding.name == name)


def result(record: RunRecord, step: str) -> dict:
    return next(s.result for s in record.steps if s.name == step)


def test_every_step_is_done_and_nothing_runs_on(record: RunRecord) -> None:
    assert record.state == "done"
    assert {step.state for step in record.steps} == {"done"}
    assert not psutil.pid_exists(result(record, "launch")["pid"])
    assert psutil.Process().children(recursive=True) == []


def test_the_file_holds_the_planned_types_to_the_byte(record: RunRecord) -> None:
    checked = result(record, "check-artifact")
    assert checked["types"] == checked["expected_types"]
    assert checked["tensor_bytes"] == checked["expected_bytes"]


@pytest.mark.parametrize("name", ["weights_gib", "kv_cache_gib", "artifact_bytes"])
def test_memory_is_within_two_percent_of_what_llama_cpp_reports(record: RunRecord, name: str) -> None:
    found = finding(record, name)
    assert found.measured == pytest.approx(found.predicted, rel=0.02)


def test_quality_is_measured_before_and_after(record: RunRecord) -> None:
    before, after = result(record, "evaluate-before"), result(record, "evaluate-after")
    assert before["text_sha256"] == after["text_sha256"]
    assert after["increase_percent"] == finding(record, "perplexity_increase_percent").measured
    assert -1 < after["increase_percent"] < 10  # Q4_K_M of a small model
    assert after["tolerable"] is (after["increase"] < 0.3 or after["increase_percent"] < 5)


def test_the_load_is_as_planned(record: RunRecord) -> None:
    load = result(record, "load-test")
    assert (load["errors"], load["short_requests"], load["cached_tokens"]) == (0, 0, 0)
    assert (load["mean_input_tokens"], load["mean_output_tokens"]) == (128, 32)
    assert 0 < load["tpot_ms"]["p50"] < load["ttft_ms"]["p99"]


def test_the_report_tells_the_same(record: RunRecord) -> None:
    assert record.report_path is not None
    report = Report.model_validate_json(Path(record.report_path).with_suffix(".json").read_text())
    assert [f.measured for f in report.findings] == [f.measured for f in record.findings]
    assert [step.name for step in report.steps] == [s.name for s in record.plan.stages[:-1]]
    assert all(step.seconds is not None for step in report.steps)
    assert "<svg" in Path(record.report_path).read_text()


def test_the_original_is_untouched(record: RunRecord, original: dict[str, str]) -> None:
    assert {path.name: sha256_of(path) for path in DEMO_MODEL.iterdir()} == original


def test_applying_it_again_repeats_nothing(record: RunRecord, home: Path) -> None:
    events: list[Event] = []
    again = LocalExecutor(home).apply(record.plan, on_event=events.append)
    assert {event.state for event in events} == {"skipped"}
    assert again.findings == record.findings
