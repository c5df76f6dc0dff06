"""The journal's SQLite file: write-ahead logged, synced at every commit, and its errors in words people can act on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from executor.aside import no_space_left
from executor.journal_schema import require_schema
from executor.locking import lock
from planner.errors import ELSEWHERE, BadInput, ExecutionFailed, QuantplanError

BUSY_S = 30.0
# A file is opened by one process at a time: SQLite waits for no lock while it changes to write-ahead logging.
SETTINGS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
PRIMARY = 0xFF  # the lowest byte of SQLite's extended result codes
PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR)
NO_JOURNAL = "move the file away to begin a new journal; runs on disk are kept, but start over"
FIXES = {
    sqlite3.SQLITE_BUSY: f"another process has held it for {BUSY_S:.0f} s: wait for that one, then try again",
    sqlite3.SQLITE_IOERR: "look after the disk (a limit, a fault, a network that is away), then try again",
    sqlite3.SQLITE_CANTOPEN: ELSEWHERE,
    sqlite3.SQLITE_READONLY: ELSEWHERE,
    sqlite3.SQLITE_PERM: ELSEWHERE,
}


class JournalFile:
    """One open file. BadInput when it is no journal, or another version's; ExecutionFailed when the disk is full."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with lock(path.with_suffix(".lock"), waiting=lambda holder: None), self._explained():
            self._connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            for setting in SETTINGS:
                self._connection.execute(f"PRAGMA {setting}")
            require_schema(self._connection, path)

    def close(self) -> None:
        self._connection.close()

    def rows(self, query: str, *values: str) -> list[sqlite3.Row]:
        with self._explained():
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block, on the disk, or nothing of it."""
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise self._explanation(error) from error

    def _explanation(self, error: sqlite3.DatabaseError) -> QuantplanError:
        """Each of SQLite's own result codes that a user can do something about, else a file that is no journal."""
        code = getattr(error, "sqlite_errorcode", 0) & PRIMARY
        if code == sqlite3.SQLITE_FULL:
            return no_space_left(self._path.parent)
        what = ExecutionFailed if code in PASSING else BadInput
        return what(f"the journal cannot be used: {error}", where=str(self._path), fix=FIXES.get(code, NO_JOURNAL))
