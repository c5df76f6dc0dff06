"""The ledger's table, and how its writers stand beside each other."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, Float, Integer, String, Table, Text, UniqueConstraint

from planner.service.store.tables import metadata

measurements = Table(
    "measurements",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("executor", String(32), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("machine", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("engine_version", Text, nullable=False),
    Column("kernel", Text, nullable=False),
    Column("configuration", Text, nullable=False),
    Column("figure", Text, nullable=False),
    Column("predicted", Float, nullable=False),
    Column("measured", Float, nullable=False),
    Column("run_id", String(32), nullable=False),
    Column("told_at", Float, nullable=False),
    Column("measured_at", Float, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("reported_by", String(64), nullable=False),
    UniqueConstraint("executor", "sequence", name="measurements_once"),
)
OF_A_LESSON = (
    "machine",
    "engine",
    "engine_version",
    "kernel",
    "configuration",
    "figure",
    "predicted",
    "measured",
    "run_id",
)


class Conflict(Exception):
    """An executor reported something else under a number that it had used: the message says which."""


def let_writers_beside(connection: Connection) -> None:
    """PostgreSQL: beside other writers, and not beside a reader that asks how far the lines are complete."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock_shared(845124)")
