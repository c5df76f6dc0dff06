"""`deployments`, `promote`, `stop`, `runs remove|clean`, `learned` and the options of `apply`, as people meet them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from fake_steps import FakeSteps

from executor.local import LocalExecutor
from planner.cli.main import main
from planner.learned.lessons import Lesson, lessons_path, write_lessons
from planner.plan import Plan


@pytest.fixture(autouse=True)
def use_fake_steps(executor: LocalExecutor, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.ports.find_executor", lambda: executor)
    monkeypatch.setattr("planner.cli.applying.find_executor", lambda name="local": executor)
    monkeypatch.setenv("QUANTPLAN_HOME", str(home))


@pytest.fixture
def plan_file(plan: Plan, tmp_path: Path) -> Path:
    plan.write(tmp_path / "plan.json")
    return tmp_path / "plan.json"


def quantplan(*arguments: str | Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["quantplan", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_nothing_was_kept_and_nothing_learnt_yet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quantplan("deployments", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == "No servers yet. Leave one running: quantplan apply FILE --keep\n"
    assert quantplan("learned", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out.startswith("Nothing learnt yet.")
    assert quantplan("stop", "abc", monkeypatch=monkeypatch) == 2
    assert "no deployment 'abc'" in capsys.readouterr().err


def test_runs_are_removed_with_what_that_frees(
    plan_file: Path, executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quantplan("apply", plan_file, "--cores", "1", "--no-fallback", monkeypatch=monkeypatch) == 0
    run_id = executor.runs()[0].run_id
    capsys.readouterr()
    assert quantplan("runs", "remove", run_id, "--dry-run", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out.startswith("Would remove 1 run, freeing 0.0")
    assert quantplan("runs", "clean", "--older-than-days", "1", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == "Removed 0 runs; 0.00 MiB freed.\n"
    assert quantplan("runs", "remove", run_id[:5], monkeypatch=monkeypatch) == 0
    assert f"  {run_id}\n" in capsys.readouterr().out and executor.runs() == []


def test_what_was_learnt_is_shown_and_forgotten(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lesson = Lesson(
        machine="1 x A small CPU, 8 GiB", engine="llama.cpp", engine_version="0.3.36", kernel="ggml-cpu",
        configuration="demo, gguf-q4_k_m, 4 x 128 in, 64 out, context 192", figure="tpot_ms", predicted=2.0,
        measured=3.0, run_id="05605ef64858", measured_at=1.0,
    )  # fmt: skip
    write_lessons(lessons_path(home), [lesson])
    assert quantplan("learned", monkeypatch=monkeypatch) == 0
    shown = capsys.readouterr().out
    assert "1.50" in shown and "05605ef64858" in shown
    assert quantplan("learned", "--json", monkeypatch=monkeypatch) == 0
    assert json.loads(capsys.readouterr().out)[0]["measured"] == 3.0
    assert quantplan("learned", "--forget", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == "Forgotten.\n" and not lessons_path(home).exists()


def test_show_tells_what_a_run_fell_back_to(
    plan: Plan, executor: LocalExecutor, steps: FakeSteps, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from contextlib import closing

    from executor.journal import Journal
    from executor.ladder.diagnosing import Diagnosis
    from executor.ladder.ledger import write_fall
    from executor.workspace import journal_path

    record = executor.apply(plan, on_event=lambda event: None)
    seen = Diagnosis("memory", "a buffer could not be allocated", "failed to allocate buffer", Path("08-launch.log"))
    with closing(Journal(journal_path(executor._home))) as journal:
        write_fall(journal, record.run_id, "launch", seen, 0)
    assert quantplan("show", record.run_id, monkeypatch=monkeypatch) == 0
    shown = capsys.readouterr().out
    assert "Fell back 1: at launch, a buffer could not be allocated" in shown
    assert "seen    failed to allocate buffer" in shown and "now     4 requests at once" in shown
    assert "out-of-memory-half-the-sequences" in shown
