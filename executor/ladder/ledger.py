"""The falls of a run, in its journal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import cast

from executor.journal_file import JournalFile
from executor.ladder.diagnosing import Diagnosis
from executor.ladder.rungs import Fall
from planner.plan import Plan
from planner.ports import RungRecord
from rules.vocabulary import Trouble


def falls_of(journal: JournalFile, run_id: str, plan: Plan) -> list[Fall]:
    """The rungs the run has taken, in order."""
    rows = journal.rows("SELECT * FROM rungs WHERE run_id = ? ORDER BY position", run_id)
    return [
        Fall(
            step=row["step"],
            diagnosis=Diagnosis(
                cast(Trouble, plan.ladder[row["rung"]].on),
                row["says"],
                row["evidence"],
                Path(row["log_path"]) if row["log_path"] else None,
            ),
            rung=row["rung"],
            taken_at=row["taken_at"],
        )
        for row in rows
    ]


def write_fall(journal: JournalFile, run_id: str, step: str, diagnosis: Diagnosis, rung: int) -> None:
    """One more rung taken; on the disk before anything is done on it."""
    log_path = str(diagnosis.log_path) if diagnosis.log_path else None
    with journal.transaction() as do:
        do.execute(
            "INSERT INTO rungs (run_id, position, taken_at, step, evidence, says, log_path, rung) VALUES"
            " (?, (SELECT count(*) FROM rungs WHERE run_id = ?), ?, ?, ?, ?, ?, ?)",
            (run_id, run_id, time.time(), step, diagnosis.evidence, diagnosis.says, log_path, rung),
        )


def as_record(plan: Plan, fall: Fall) -> RungRecord:
    """A fall as people see it."""
    rung = plan.ladder[fall.rung]
    return RungRecord(
        step=fall.step,
        trouble=fall.diagnosis.trouble,
        says=fall.diagnosis.says,
        evidence=fall.diagnosis.evidence,
        log_path=str(fall.diagnosis.log_path) if fall.diagnosis.log_path else None,
        change=rung.says,
        format=rung.format,
        rule=rung.rule,
        because=rung.because,
        source=rung.source,
        taken_at=fall.taken_at,
    )
