"""The processes of a run, in its journal: what was started and was never seen to end is looked for by a later apply."""

from __future__ import annotations

import time
from dataclasses import dataclass

from executor.journal_file import JournalFile


@dataclass(frozen=True, slots=True)
class RunRegister:
    """The journal as `Processes` sees it: where one run's processes are written down."""

    journal: JournalFile
    run_id: str

    def process_started(self, pid: int, created_at: float, command: str) -> None:
        with self.journal.transaction() as do:
            do.execute(
                "INSERT OR REPLACE INTO processes (run_id, pid, created_at, command) VALUES (?, ?, ?, ?)",
                (self.run_id, pid, created_at, command),
            )

    def process_ended(self, pid: int, created_at: float) -> None:
        with self.journal.transaction() as do:
            do.execute(
                "UPDATE processes SET ended_at = ? WHERE pid = ? AND created_at = ?", (time.time(), pid, created_at)
            )

    def all_ended(self) -> None:
        """None of the run's processes is left, whether or not its end could be written down."""
        with self.journal.transaction() as do:
            do.execute(
                "UPDATE processes SET ended_at = ? WHERE run_id = ? AND ended_at IS NULL", (time.time(), self.run_id)
            )

    def unended(self) -> list[tuple[int, float]]:
        """Processes of the run that were never seen to end: (pid, start in seconds since the epoch)."""
        wanted = "SELECT pid, created_at FROM processes WHERE run_id = ? AND ended_at IS NULL"
        return [(row["pid"], row["created_at"]) for row in self.journal.rows(wanted, self.run_id)]
