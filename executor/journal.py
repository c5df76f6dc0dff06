"""The journal: what runs did, in a file that survives a kill at any instant.

A run is identified by its plan's digest. Steps are written down before they start and after they end, so whatever a
kill leaves as "running" is known to be unfinished.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from executor.journal_file import JournalFile
from planner.errors import BadInput
from planner.plan import Plan
from planner.ports import FindingRecord, RunState, StepRecord, StepState

NOTHING: Mapping[str, float] = {}


@dataclass(frozen=True, slots=True)
class JournalledRun:
    """A run's own line in the journal."""

    run_id: str
    plan: Plan
    state: RunState
    started_at: float
    ended_at: float | None
    report_path: str | None


class Journal(JournalFile):
    """The runs of one journal file."""

    # Runs

    def begin_run(self, run_id: str, plan: Plan) -> None:
        """Start the run of this plan, or take up the one there is."""
        with self.transaction() as do:
            do.execute(
                "INSERT INTO runs (run_id, plan_digest, plan, state, started_at) VALUES (?, ?, ?, 'running', ?)"
                " ON CONFLICT (plan_digest) DO UPDATE SET state = 'running', ended_at = NULL",
                (run_id, plan.digest, plan.as_json(), time.time()),
            )
            do.execute("UPDATE attempts SET outcome = 'interrupted' WHERE run_id = ? AND outcome IS NULL", (run_id,))

    def end_run(self, run_id: str, state: RunState) -> None:
        with self.transaction() as do:
            do.execute("UPDATE runs SET state = ?, ended_at = ? WHERE run_id = ?", (state, time.time(), run_id))

    def runs(self) -> list[JournalledRun]:
        """Every run whose plan this version can read, newest first."""
        rows = self.rows("SELECT * FROM runs ORDER BY started_at DESC, run_id")
        return [run for row in rows if (run := _run(row)) is not None]

    def run(self, prefix: str) -> JournalledRun:
        """The run whose id is or begins with `prefix`. BadInput when there is none, or more than one."""
        known = {row["run_id"]: row for row in self.rows("SELECT * FROM runs ORDER BY started_at DESC")}
        matching = [run_id for run_id in known if prefix and run_id.startswith(prefix)]
        if len(matching) > 1:
            raise BadInput(f"{len(matching)} runs begin with {prefix!r}", nearest=matching, fix="write more of the id")
        if not matching:
            raise BadInput(f"no run {prefix!r}", nearest=list(known)[:3], fix="list them with `quantplan runs`")
        run = _run(known[matching[0]])
        if run is None:
            raise BadInput("its plan is of another version", where=f"run {matching[0]}", fix="plan and apply again")
        return run

    # Steps

    def begin_step(self, run_id: str, name: str, attempt: int, log_path: Path, way: str | None = None) -> None:
        """The step begins; `way` names what it depends on, so that it is known whether its result still holds."""
        now = time.time()
        with self.transaction() as do:
            do.execute(
                "INSERT INTO steps (run_id, name, state, started_at, log_path, way)"
                " VALUES (?, ?, 'running', ?, ?, ?)"
                " ON CONFLICT (run_id, name) DO UPDATE SET state = 'running', started_at = excluded.started_at,"
                " ended_at = NULL, error = NULL, log_path = excluded.log_path, way = excluded.way",
                (run_id, name, now, str(log_path), way),
            )
            do.execute(
                "INSERT INTO attempts (run_id, step, attempt, started_at, log_path) VALUES (?, ?, ?, ?, ?)",
                (run_id, name, attempt, now, str(log_path)),
            )

    def end_step(
        self,
        run_id: str,
        name: str,
        attempt: int,
        result: dict[str, Any],
        seconds: float | None = None,
        resources: Mapping[str, float] = NOTHING,
    ) -> None:
        """The step is done, with its result; findings and the report's path are kept apart as well."""
        now = time.time()
        with self.transaction() as do:
            self._close_attempt(do, run_id, name, attempt, "done", None)
            do.execute(
                "UPDATE steps SET state = 'done', ended_at = ?, result = ?, error = NULL, seconds = ?, resources = ?"
                " WHERE run_id = ? AND name = ?",
                (now, json.dumps(result), seconds, json.dumps(dict(resources)), run_id, name),
            )
            if "findings" in result:
                self._keep_findings(do, run_id, [FindingRecord(**finding) for finding in result["findings"]])
            if "report_path" in result:
                do.execute("UPDATE runs SET report_path = ? WHERE run_id = ?", (result["report_path"], run_id))

    def fail_step(self, run_id: str, name: str, attempt: int, outcome: str, error: str) -> None:
        """The step ended without a result: `outcome` is "failed" or "interrupted"."""
        state: StepState = "failed" if outcome == "failed" else "pending"
        with self.transaction() as do:
            self._close_attempt(do, run_id, name, attempt, outcome, error)
            do.execute(
                "UPDATE steps SET state = ?, ended_at = ?, error = ? WHERE run_id = ? AND name = ?",
                (state, time.time(), error, run_id, name),
            )

    def skip_step(self, run_id: str, name: str, why: str) -> None:
        """The step is not for where the run is carried out: `why`. One that was done before stays so."""
        with self.transaction() as do:
            do.execute(
                "INSERT INTO steps (run_id, name, state, result) VALUES (?, ?, 'skipped', ?)"
                " ON CONFLICT (run_id, name) DO NOTHING",
                (run_id, name, json.dumps({"why": why})),
            )

    def steps(self, run_id: str) -> dict[str, StepRecord]:
        """The steps begun so far, by name."""
        return {row["name"]: _step(row) for row in self.rows("SELECT * FROM steps WHERE run_id = ?", run_id)}

    def ways(self, run_id: str) -> dict[str, str | None]:
        """The way to each step when it was last begun; None where an earlier version did not write it down."""
        return {row["name"]: row["way"] for row in self.rows("SELECT * FROM steps WHERE run_id = ?", run_id)}

    def remove_run(self, run_id: str) -> None:
        """Forget a run and all that was written of it."""
        with self.transaction() as do:
            for table in ("findings", "processes", "attempts", "steps", "rungs", "runs"):
                do.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))

    def next_attempt(self, run_id: str, step: str) -> int:
        rows = self.rows("SELECT count(*) AS n FROM attempts WHERE run_id = ? AND step = ?", run_id, step)
        return int(rows[0]["n"]) + 1

    def attempts(self, run_id: str) -> list[dict[str, Any]]:
        """Every attempt at a step of the run, in the order they were made."""
        return [dict(row) for row in self.rows("SELECT * FROM attempts WHERE run_id = ? ORDER BY rowid", run_id)]

    def findings(self, run_id: str) -> tuple[FindingRecord, ...]:
        rows = self.rows("SELECT * FROM findings WHERE run_id = ? ORDER BY position", run_id)
        return tuple(_finding(row) for row in rows)

    @staticmethod
    def _close_attempt(
        do: sqlite3.Connection, run_id: str, step: str, attempt: int, outcome: str, error: str | None
    ) -> None:
        do.execute(
            "UPDATE attempts SET ended_at = ?, outcome = ?, error = ? WHERE run_id = ? AND step = ? AND attempt = ?",
            (time.time(), outcome, error, run_id, step, attempt),
        )

    @staticmethod
    def _keep_findings(do: sqlite3.Connection, run_id: str, findings: Sequence[FindingRecord]) -> None:
        do.execute("DELETE FROM findings WHERE run_id = ?", (run_id,))
        do.executemany(
            "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (run_id, position, f.name, f.unit, f.predicted, f.low, f.high, f.measured, f.inside, f.note)
                for position, f in enumerate(findings)
            ],
        )


def _run(row: sqlite3.Row) -> JournalledRun | None:
    try:
        plan = Plan.model_validate_json(row["plan"])
    except ValidationError:
        return None
    return JournalledRun(row["run_id"], plan, row["state"], row["started_at"], row["ended_at"], row["report_path"])


def _step(row: sqlite3.Row) -> StepRecord:
    return StepRecord(
        row["name"], row["state"], row["started_at"], row["ended_at"],
        json.loads(row["result"]), row["error"], row["log_path"], row["seconds"], json.loads(row["resources"]),
    )  # fmt: skip


def _finding(row: sqlite3.Row) -> FindingRecord:
    inside = None if row["inside"] is None else bool(row["inside"])
    return FindingRecord(
        row["name"], row["unit"], row["predicted"], row["low"], row["high"], row["measured"], inside, row["note"]
    )
