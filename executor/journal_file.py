"""The journal's SQLite file: write-ahead logged, synced at every commit, and its errors in words people can act on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from executor.artifacts import no_space_left
from executor.journal_schema import require_schema
from planner.errors import BadInput

BUSY_S = 30.0


class JournalFile:
    """One open file. BadInput when it is no journal, or another version's; ExecutionFailed when the disk is full."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        with self._explained():
            for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
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
            if "full" in str(error):
                raise no_space_left(self._path.parent) from error
            raise BadInput(
                f"the journal cannot be used: {error}",
                where=str(self._path),
                fix="move the file away to begin a new journal; runs on disk are kept, but start over",
            ) from error
