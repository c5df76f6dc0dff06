"""`quantplan apply`, `runs` and `show`, as a person and as a program meet them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from fake_steps import KINDS, FakeSteps

from executor.local import LocalExecutor
from planner.cli.main import main
from planner.hardware.hardware import Cpu
from planner.hardware.nvml import DriverReading
from planner.plan import Plan


@pytest.fixture(autouse=True)
def use_fake_steps(executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.ports.find_executor", lambda: executor)
    monkeypatch.setattr("planner.cli.applying.find_executor", lambda name="local": executor)
    small = Cpu("A small CPU", 2, 8.0, ("AVX2",), bandwidth_gb_s=20.0, matmul_gflops=100.0, measured_on="2026-11-21")
    monkeypatch.setattr("planner.hardware.detection.read_driver", lambda pynvml: DriverReading(absence="none here"))
    monkeypatch.setattr("planner.hardware.detection.measured_cpu", lambda refresh=False: small)


def test_demo_shows_the_machine_the_plan_and_what_came_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], executor: LocalExecutor
) -> None:
    assert quantplan("demo", monkeypatch=monkeypatch) == 0
    shown = capsys.readouterr().out
    places = [shown.index(words) for words in ("A small CPU", "gguf-q4_k_m", "] fetch", "1 inside", "Report: ")]
    assert places == sorted(places)
    assert executor.runs()[0].plan.hardware.name == "A small CPU"


def test_demo_json_is_the_run_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert quantplan("demo", "--json", "--concurrency", "2", monkeypatch=monkeypatch) == 0
    run = json.loads(capsys.readouterr().out)
    assert run["state"] == "done" and run["plan"]["request"]["workload"]["concurrency"] == 2


@pytest.fixture
def plan_file(plan: Plan, tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(plan.model_dump_json())
    return path


def quantplan(*arguments: str | Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command as the shell would; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["quantplan", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_apply_tells_every_step_and_ends_with_findings_and_report(
    plan_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], executor: LocalExecutor
) -> None:
    assert quantplan("apply", plan_file, monkeypatch=monkeypatch) == 0
    shown = capsys.readouterr().out
    for number, kind in enumerate(KINDS, start=1):
        assert f"[{number}/9] {kind}: " in shown
    assert "[7/9] load-test: Sending streamed requests at the planned concurrency, timing every token" in shown
    assert "Predicted against measured" in shown and "1 inside, 0 outside" in shown
    record = executor.runs()[0]
    assert f"Report: {record.report_path}" in shown
    assert f"Run {record.run_id}: quantplan show {record.run_id}" in shown


def test_apply_json_is_the_run_on_stdout_and_progress_on_stderr(
    plan_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quantplan("apply", plan_file, "--json", monkeypatch=monkeypatch) == 0
    captured = capsys.readouterr()
    run = json.loads(captured.out)
    assert run["state"] == "done" and [step["name"] for step in run["steps"]] == list(KINDS)
    assert run["findings"][0]["inside"] is True and run["plan"]["digest"].startswith("sha256:")
    assert "[1/9] fetch: " in captured.err


def test_apply_again_says_that_all_was_done_before(
    plan_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], steps: FakeSteps
) -> None:
    quantplan("apply", plan_file, monkeypatch=monkeypatch)
    capsys.readouterr()
    assert quantplan("apply", plan_file, monkeypatch=monkeypatch) == 0
    assert "[4/9] quantize: done before, and its files are as they were recorded" in capsys.readouterr().out
    assert steps.ran == list(KINDS)


def test_a_failed_step_exits_with_4_and_shows_in_the_run(
    plan_file: Path, original: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = (original / "model.safetensors").read_bytes()
    (original / "model.safetensors").unlink()
    assert quantplan("apply", plan_file, monkeypatch=monkeypatch) == 4
    assert "Error: step convert: python failed with exit status 1" in capsys.readouterr().err
    assert quantplan("runs", monkeypatch=monkeypatch) == 0
    listed = capsys.readouterr().out
    assert "failed" in listed and "gguf-q4_k_m" in listed
    run_id = listed.split("\n")[3].split()[0]
    assert quantplan("show", run_id[:4], monkeypatch=monkeypatch) == 0
    shown = capsys.readouterr().out
    assert "convert failed: step convert: python failed" in shown
    assert f"Go on from there: quantplan apply {run_id}" in shown
    (original / "model.safetensors").write_bytes(weights)
    assert quantplan("apply", run_id, monkeypatch=monkeypatch) == 0
    assert "[2/9] keep-original: done before" in capsys.readouterr().out


def test_a_plan_that_was_edited_is_refused(
    plan_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], steps: FakeSteps
) -> None:
    plan_file.write_text(plan_file.read_text().replace('"warnings":[', '"warnings":["edited",').replace(",]", "]"))
    assert quantplan("apply", plan_file, monkeypatch=monkeypatch) == 2
    assert "the plan was altered after it was made (its digest does not match)" in capsys.readouterr().err
    assert steps.ran == []


def test_no_runs_yet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert quantplan("runs", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == (
        "No runs yet. Make one: quantplan plan MODEL --on here --out FILE, then quantplan apply FILE\n"
    )
    assert quantplan("runs", "--json", monkeypatch=monkeypatch) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_show_of_an_unknown_run_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert quantplan("show", "zz", "--json", monkeypatch=monkeypatch) == 2
    assert json.loads(capsys.readouterr().out) == {
        "error": "no run 'zz'", "where": "", "nearest": [], "fix": "list them with `quantplan runs`"
    }  # fmt: skip


def test_a_path_that_cannot_be_written_is_named_with_what_to_do(
    plan_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "plan.json"
    arguments = ("plan", "llama-3.1-8b", "--on", "1xL4", "--out", out)
    assert quantplan(*arguments, monkeypatch=monkeypatch) == 2
    assert capsys.readouterr().err == (
        f"Error: {out}: not a directory\nTo fix: check the path: each directory on the way must be there\n"
    )


def test_show_tells_where_the_model_lies_and_how_long_the_steps_took_by_their_own_clocks(
    plan_file: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    executor: LocalExecutor,
) -> None:  # fmt: skip
    """Applied again a day later, the run did not take a day."""
    quantplan("apply", plan_file, monkeypatch=monkeypatch)
    record = executor.runs()[0]
    with monkeypatch.context() as later:
        later.setattr("executor.journal.time.time", lambda: record.started_at + 86_400)
        quantplan("apply", plan_file, monkeypatch=monkeypatch)
    capsys.readouterr()
    quantplan("show", record.run_id, monkeypatch=monkeypatch)
    shown = capsys.readouterr().out
    took = round(sum(step.seconds or 0 for step in record.steps))
    assert f"its steps took {took} s" in shown
    made = next(step.result["path"] for step in record.steps if step.name == "quantize" and "path" in step.result)
    assert f"Model: {made}" in shown
