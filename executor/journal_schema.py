"""The journal's tables, and the check that a file has them in the version this quantplan reads."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from executor.locking import lock
from planner.errors import BadInput

SCHEMA_VERSION = 1
SCHEMA = """CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, plan_digest TEXT NOT NULL UNIQUE, plan TEXT NOT NULL, state TEXT NOT NULL,
    started_at REAL NOT NULL, ended_at REAL, report_path TEXT);
CREATE TABLE steps (
    run_id TEXT NOT NULL REFERENCES runs, name TEXT NOT NULL, state TEXT NOT NULL, started_at REAL, ended_at REAL,
    result TEXT NOT NULL DEFAULT '{}', error TEXT, log_path TEXT, PRIMARY KEY (run_id, name));
CREATE TABLE attempts (
    run_id TEXT NOT NULL REFERENCES runs, step TEXT NOT NULL, attempt INTEGER NOT NULL, started_at REAL NOT NULL,
    ended_at REAL, outcome TEXT, error TEXT, log_path TEXT, PRIMARY KEY (run_id, step, attempt));
CREATE TABLE processes (
    run_id TEXT NOT NULL REFERENCES runs, pid INTEGER NOT NULL, created_at REAL NOT NULL, command TEXT NOT NULL,
    ended_at REAL, PRIMARY KEY (pid, created_at));
CREATE TABLE findings (
    run_id TEXT NOT NULL REFERENCES runs, position INTEGER NOT NULL, name TEXT NOT NULL, unit TEXT NOT NULL,
    predicted REAL, low REAL, high REAL, measured REAL, inside INTEGER, note TEXT NOT NULL,
    PRIMARY KEY (run_id, position));
"""


def require_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Give an empty file the tables. BadInput when the file was written by another version of quantplan."""
    if _version(connection) == 0:
        with lock(path.with_suffix(".lock"), waiting=lambda holder: None):
            if _version(connection) == 0:
                connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT")
    if _version(connection) != SCHEMA_VERSION:
        raise BadInput(
            f"a journal of schema version {_version(connection)}; this quantplan reads version {SCHEMA_VERSION}",
            where=str(path),
            fix="use the quantplan that wrote it, or set QUANTPLAN_HOME to another directory",
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
