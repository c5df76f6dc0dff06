"""The journal: survives versions it does not know, full disks, and files that are no journal."""

from __future__ import annotations

import sqlite3
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
