"""The journal's tables, and the check that a file has them in the version this quantplan reads."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from planner.errors import BadInput

SCHEMA_VERSION = 2
FIRST = """CREATE TABLE runs (
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
# What each later version adds to the one before it: the `way` to a step, the `seconds` it took by a clock that
# cannot be set, the `resources` it used; the rungs a run took; and the servers that were left running.
ADDED = {
    2: """ALTER TABLE steps ADD COLUMN way TEXT;
ALTER TABLE steps ADD COLUMN seconds REAL;
ALTER TABLE steps ADD COLUMN resources TEXT NOT NULL DEFAULT '{}';
CREATE TABLE rungs (
    run_id TEXT NOT NULL REFERENCES runs, position INTEGER NOT NULL, taken_at REAL NOT NULL, step TEXT NOT NULL,
    evidence TEXT NOT NULL, says TEXT NOT NULL, log_path TEXT, rung INTEGER NOT NULL, PRIMARY KEY (run_id, position));
CREATE TABLE deployments (
    deployment_id TEXT PRIMARY KEY, run_id TEXT NOT NULL, service TEXT NOT NULL, role TEXT NOT NULL,
    state TEXT NOT NULL, record TEXT NOT NULL);
""",
}


def require_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Give an empty file the tables, and one of an earlier version what was added since. No other may do so meanwhile.

    BadInput when the file was written by a later version of quantplan.
    """
    for version in range(_version(connection), SCHEMA_VERSION):
        steps = FIRST if version == 0 else ADDED[version + 1]
        connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {version + 1}; COMMIT")
    if _version(connection) != SCHEMA_VERSION:
        raise BadInput(
            f"a journal of schema version {_version(connection)}; this quantplan reads version {SCHEMA_VERSION}",
            where=str(path),
            fix="use the quantplan that wrote it, or set QUANTPLAN_HOME to another directory",
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
