"""The journal: survives versions it does not know, full disks, and files that are no journal."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from executor.journal import Journal
from executor.journal_schema import FIRST, SCHEMA_VERSION
from executor.register import RunRegister
from planner.errors import BadInput, ExecutionFailed
from planner.plan import Plan


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "journal.sqlite"


def test_what_is_written_is_there_in_another_process_of_the_same_file(path: Path, plan: Plan) -> None:
    journal = Journal(path)
    journal.begin_run("r1", plan)
    journal.begin_step("r1", "fetch", 1, path.with_name("log"))
    journal.end_step("r1", "fetch", 1, {"a": [1, 2]})
    again = Journal(path)
    assert again.run("r").plan == plan
    assert again.steps("r1")["fetch"].result == {"a": [1, 2]}
    assert again.steps("r1")["fetch"].state == "done"


def test_it_is_written_ahead_and_synced(path: Path) -> None:
    journal = Journal(path)
    assert journal._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert journal._connection.execute("PRAGMA synchronous").fetchone()[0] == 2, "2 is FULL"


def test_an_attempt_that_never_ended_is_known_as_interrupted_on_resume(path: Path, plan: Plan) -> None:
    journal = Journal(path)
    journal.begin_run("r1", plan)
    journal.begin_step("r1", "fetch", 1, path)
    journal.begin_run("r1", plan)
    assert [attempt["outcome"] for attempt in journal.attempts("r1")] == ["interrupted"]
    assert journal.next_attempt("r1", "fetch") == 2


def test_a_failed_step_keeps_its_error_until_it_is_begun_again(path: Path, plan: Plan) -> None:
    journal = Journal(path)
    journal.begin_run("r1", plan)
    journal.begin_step("r1", "fetch", 1, path)
    journal.fail_step("r1", "fetch", 1, "failed", "no such model")
    assert (journal.steps("r1")["fetch"].state, journal.steps("r1")["fetch"].error) == ("failed", "no such model")
    journal.begin_step("r1", "fetch", 2, path)
    assert (journal.steps("r1")["fetch"].state, journal.steps("r1")["fetch"].error) == ("running", None)


def test_a_journal_of_another_version_is_refused_untouched(path: Path) -> None:
    Journal(path).close()
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 6}")
    with pytest.raises(BadInput) as caught:
        Journal(path)
    assert str(caught.value) == (
        f"{path}: a journal of schema version {SCHEMA_VERSION + 6}; this quantplan reads version {SCHEMA_VERSION}\n"
        "To fix: use the quantplan that wrote it, or set QUANTPLAN_HOME to another directory"
    )


def test_a_file_that_is_no_journal_is_refused_and_kept(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("these are my notes, not a database; " * 50)
    with pytest.raises(BadInput) as caught:
        Journal(path)
    assert str(caught.value) == (
        f"{path}: the journal cannot be used: file is not a database\n"
        "To fix: move the file away to begin a new journal; runs on disk are kept, but start over"
    )
    assert path.read_text().startswith("these are my notes")


def test_a_full_disk_says_so_and_leaves_the_journal_readable(path: Path, plan: Plan) -> None:
    journal = Journal(path)
    journal.begin_run("r1", plan)
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")
    journal.begin_step("r1", "fetch", 1, path)
    with pytest.raises(ExecutionFailed, match=r"No space left on the disk: .* free\. Nothing half-written was kept"):
        journal.end_step("r1", "fetch", 1, {"long": "x" * 100_000})
    assert Journal(path).steps("r1")["fetch"].state == "running", "the step does not count as done"


def test_a_journal_that_another_process_holds_is_not_to_be_moved_away(
    path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executor.journal_file.BUSY_S", 0.05)
    journal, other = Journal(path), sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ExecutionFailed) as caught:
        journal.begin_run("r1", plan)
    assert str(caught.value) == (
        f"{path}: the journal cannot be used: database is locked\n"
        "To fix: another process has held it for 30 s: wait for that one, then try again"
    )


def test_a_place_where_nothing_can_be_written_is_named(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(BadInput) as caught:
        Journal(path)
    assert str(caught.value) == (
        f"{path}: the journal cannot be used: unable to open database file\n"
        "To fix: name a place you may write to; QUANTPLAN_HOME and QUANTPLAN_CACHE move quantplan's own files"
    )


def test_many_processes_may_open_a_new_journal_at_once(path: Path) -> None:
    """The first makes its tables, and all of them write; none is told that it is locked."""
    script = (
        "import sys, time; from pathlib import Path; from executor.journal import Journal\n"
        "time.sleep(max(0, float(sys.argv[3]) - time.time()))\n"
        "from executor.register import RunRegister\n"
        "journal = Journal(Path(sys.argv[1])); journal.rows('PRAGMA foreign_keys = OFF')\n"
        "for n in range(20): RunRegister(journal, 'r').process_started(int(sys.argv[2]) * 100 + n, 1.0, 'x')\n"
    )
    at = str(time.time() + 1.5)
    started = [
        subprocess.Popen([sys.executable, "-c", script, path, str(number), at], stderr=subprocess.PIPE, text=True)
        for number in range(6)
    ]
    assert [process.communicate()[1] for process in started] == [""] * 6
    assert len(RunRegister(Journal(path), "r").unended()) == 120


@pytest.mark.parametrize("after_s", [0.02, 0.05, 0.11])
def test_kill_9_leaves_whole_entries_only(path: Path, plan: Plan, after_s: float) -> None:
    """A step's beginning is two rows; whenever the writer dies, each is there with the other."""
    journal = Journal(path)
    journal.begin_run("r1", plan)
    script = (
        "import sys; from pathlib import Path; from executor.journal import Journal\n"
        "journal, n = Journal(Path(sys.argv[1])), 0\n"
        "print('writing', flush=True)\n"
        "while True: journal.begin_step('r1', f'step {n}', 1, Path('log')); n += 1\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE)
    assert writer.stdout is not None and writer.stdout.readline() == b"writing\n"
    time.sleep(after_s)
    writer.kill()
    writer.wait()
    steps, attempts = set(journal.steps("r1")), {attempt["step"] for attempt in journal.attempts("r1")}
    assert steps == attempts and len(steps) > 0
    assert journal.rows("PRAGMA integrity_check")[0][0] == "ok"


def test_attempts_are_told_in_their_order_though_the_clock_was_set_back(
    path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, clock = Journal(path), iter((9000.0, 9000.0, 9001.0, 100.0, 100.0))
    monkeypatch.setattr("executor.journal.time.time", lambda: next(clock, 101.0))
    journal.begin_run("r1", plan)
    journal.begin_step("r1", "fetch", 1, path)
    journal.fail_step("r1", "fetch", 1, "failed", "no such model")
    journal.begin_step("r1", "fetch", 2, path)
    assert [attempt["attempt"] for attempt in journal.attempts("r1")] == [1, 2]


def test_runs_of_a_plan_version_unknown_here_are_left_out_and_explained(path: Path, plan: Plan) -> None:
    journal = Journal(path)
    journal.begin_run("r1", plan)
    with journal.transaction() as do:
        do.execute("UPDATE runs SET plan = '{\"schema_version\": 99}'")
    assert journal.runs() == []
    with pytest.raises(BadInput) as caught:
        journal.run("r1")
    assert str(caught.value) == "run r1: its plan is of another version\nTo fix: plan and apply again"


def test_processes_that_were_not_seen_to_end_are_remembered(path: Path, plan: Plan) -> None:
    journal = Journal(path)
    journal.begin_run("r1", plan)
    register = RunRegister(journal, "r1")
    register.process_started(10, 5.5, "llama-server")
    register.process_started(11, 6.5, "llama-server")
    register.process_ended(10, 5.5)
    assert register.unended() == [(11, 6.5)]


def test_a_journal_of_the_first_version_is_brought_up_to_date_and_keeps_its_runs(path: Path, plan: Plan) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as first:
        first.executescript(f"{FIRST} PRAGMA user_version = 1;")
        first.execute(
            "INSERT INTO runs (run_id, plan_digest, plan, state, started_at) VALUES ('r1', ?, ?, 'done', 1.0)",
            (plan.digest, plan.model_dump_json()),
        )
        first.execute(
            "INSERT INTO steps (run_id, name, state, started_at, ended_at) VALUES ('r1', 'fetch', 'done', 1, 2)"
        )
    first.close()
    with closing(Journal(path)) as journal:
        assert journal.run("r1").plan == plan
        assert journal.steps("r1")["fetch"].seconds is None and journal.ways("r1") == {"fetch": None}
