"""Killed at random, applied in parallel, with a clock that jumps and a disk that is full: nothing false is left."""

from __future__ import annotations

import multiprocessing
import resource
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from executor.journal import Journal
from executor.local import LocalExecutor
from executor.process import process_created_at
from executor.processes import Processes, kill_survivors
from executor.register import RunRegister
from planner.errors import ExecutionFailed
from planner.plan import Plan, load_plan
from planner.ports import Event


def quiet(event: Event) -> None:
    pass


def test_random_kills_leave_no_orphan_no_false_done_and_no_lost_original(benchmark: ModuleType) -> None:
    tally = benchmark.kill_fake_runs(8, Random(11))
    assert tally.kills == 8
    assert (tally.orphans, tally.false_done, tally.lost_originals, tally.unresumable) == (0, 0, 0, 0)


def test_the_check_for_a_false_done_sees_one(benchmark: ModuleType, base: Path) -> None:
    import killable_run

    killable_run.apply(base, "quantplan-test")
    assert all(benchmark._truly_done(base / "home", True))
    made = next((base / "home" / "runs").rglob("quantize.gguf"))
    made.write_bytes(b"half")
    assert not all(benchmark._truly_done(base / "home", True))


def test_parallel_applies_do_not_collide(base: Path, marker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three plans for one original at once, sharing what they make; then each is whole and of the same files."""
    from fake_steps import FakeSteps
    from left_over import gone

    monkeypatch.setattr("executor.sharing.tools_in_use", lambda context: ["llama.cpp 1"])
    plan = load_plan(base / "plan.json")
    plans = [plan.model_copy(update={"created_at": f"2026-11-2{day}T00:00:00Z"}).sealed() for day in range(1, 4)]
    specs = FakeSteps(marker).specs()
    shared = {kind: replace(spec, shared=kind in ("convert", "quantize")) for kind, spec in specs.items()}

    def work(which: Plan) -> None:
        LocalExecutor(base / "home", shared).apply(which, on_event=quiet)

    together = [multiprocessing.get_context("fork").Process(target=work, args=(plan,)) for plan in plans]
    for process in together:
        process.start()
    for process in together:
        process.join(120)
    assert [process.exitcode for process in together] == [0, 0, 0]
    runs = LocalExecutor(base / "home", shared).runs()
    assert [run.state for run in runs] == ["done"] * 3
    checksums = {step.result["artifacts"][0]["sha256"] for run in runs for step in run.steps if step.name == "quantize"}
    assert len(checksums) == 1 and gone(marker)


def test_durations_do_not_follow_a_clock_that_is_set_back(
    base: Path, marker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fake_steps import FakeSteps

    now = [2_000_000_000.0]

    def jumping() -> float:
        now[0] -= 3600.0
        return now[0]

    monkeypatch.setattr("executor.journal.time.time", jumping)
    record = LocalExecutor(base / "home", FakeSteps(marker).specs()).apply(
        load_plan(base / "plan.json"), on_event=quiet
    )
    assert record.state == "done"
    assert all(step.seconds is not None and 0 <= step.seconds < 60 for step in record.steps)
    assert any((step.ended_at or 0) < (step.started_at or 0) for step in record.steps), "the wall clock did jump"


def test_a_process_is_known_again_after_the_clock_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its start is counted from the machine's, so a survivor is found, and killed, whatever the wall clock says."""
    survivor = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    started = process_created_at(survivor.pid)
    monkeypatch.setattr("time.time", lambda: 0.0)
    monkeypatch.setattr("psutil.boot_time", lambda: 12345.0)
    assert kill_survivors([(survivor.pid, started)]) == [survivor.pid]
    assert survivor.wait(10) == -9


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 64 KiB, as on a disk that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_tool_that_can_write_no_more_fails_and_leaves_nothing_half_written(tmp_path: Path, small_files: None) -> None:
    from executor.artifacts import ArtifactWriter

    target = tmp_path / "model.gguf"
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    with Processes() as processes, pytest.raises(ExecutionFailed), ArtifactWriter(target) as writer:
        processes.run_tool(["dd", "if=/dev/zero", f"of={writer.partial}", "bs=4096", "count=64"], tmp_path / "log")
    assert not target.exists() and not writer.partial.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB; skipped where none may be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting needs root")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_is_named_and_the_run_goes_on_once_there_is_room(base: Path, marker: str, small_disk: Path) -> None:
    from fake_steps import FakeSteps
    from left_over import gone

    home = small_disk / "home"
    unforeseen = load_plan(base / "plan.json").model_copy(update={"quantizing": None}).sealed()
    plan, executor = unforeseen, LocalExecutor(home, FakeSteps(marker).specs())
    with pytest.raises(ExecutionFailed) as caught:
        executor.apply(plan, on_event=quiet)
    assert "No space left on" in str(caught.value) and gone(marker)
    assert not list(home.rglob("*.partial-*")) and not list(home.rglob("quantize.gguf"))
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert executor.apply(plan, on_event=quiet).state == "done"
    with closing(Journal(home / "journal.sqlite")) as journal:
        assert not RunRegister(journal, executor.runs()[0].run_id).unended()
