"""The ledger's lines: kept once under (executor, sequence), numbered as they come, by the service's own clock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Float,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from planner.learned.lessons import Lesson
from planner.ledger.report import Entry, Measurement, Receipt, Report
from planner.service.store.database import writing
from planner.service.store.tables import metadata

measurements = Table(
    "measurements",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
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
INSERTS = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
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


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of the ledger, as far as it tells how right a prediction was."""

    machine: str
    engine: str
    engine_version: str
    configuration: str
    figure: str
    predicted: float
    measured: float
    run_id: str
    executor: str
    measured_at: float


class Conflict(Exception):
    """An executor reported something else under a number that it had used: the message says which."""


@dataclass(frozen=True, slots=True)
class MeasurementStore:
    """The ledger in the database."""

    engine: Engine

    def keep(self, report: Report, reported_by: str, received_at: float | None = None) -> Receipt:
        """Keep what is new, all or nothing. Conflict when a number comes again with another content.

        The executor's clock is set right by the difference between `sent_at` and the service's clock on arrival.
        """
        received = time.time() if received_at is None else received_at
        behind_s = received - report.sent_at
        rows = [
            _row(report.executor, m, behind_s, received, reported_by)
            for m in sorted(report.measurements, key=_sequence)
        ]
        keep: Any = INSERTS[self.engine.dialect.name](measurements)
        once = keep.on_conflict_do_nothing(index_elements=["executor", "sequence"]).returning(measurements.c.sequence)
        with writing(self.engine) as connection:
            self._let_writers_beside(connection)
            new = set(connection.execute(once.values(rows)).scalars())
            known = [m for m in report.measurements if m.sequence not in new]
            if known:
                _require_same(connection, report.executor, known)
        return Receipt(new=len(new), known=len(known), clock_behind_s=behind_s)

    def entries(self, after: int, limit: int, machine: str | None = None) -> list[Entry]:
        """Lines that follow a number, in their order; of one kind of machine where that is named."""
        wanted = and_(measurements.c.number > after, measurements.c.number <= self._complete_to())
        if machine is not None:
            wanted = and_(wanted, measurements.c.machine == machine)
        query = select(measurements).where(wanted).order_by(measurements.c.number).limit(limit)
        with self.engine.connect() as connection:
            return [_entry(row._mapping) for row in connection.execute(query)]

    def newest(self, limit: int) -> list[Measured]:
        """The newest lines, newest first."""
        columns = [measurements.c[name] for name in Measured.__dataclass_fields__]
        query = select(*columns).order_by(measurements.c.number.desc()).limit(limit)
        with self.engine.connect() as connection:
            return [Measured(*row) for row in connection.execute(query)]

    def _let_writers_beside(self, connection: Any) -> None:
        """PostgreSQL: beside other writers, and not beside a reader that asks how far the lines are complete."""
        if self.engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock_shared(845124)")

    def _complete_to(self) -> int:
        """The highest number below which no line is still being written: a reader must not pass one to come."""
        with self.engine.begin() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(845124)")
            return int(connection.execute(select(func.max(measurements.c.number))).scalar() or 0)


def _sequence(told: Measurement) -> int:
    """Two reports of one executor lock its lines in the same order."""
    return told.sequence


def _row(executor: str, told: Measurement, behind_s: float, received: float, by: str) -> dict[str, Any]:
    own = {name: getattr(told, name) for name in (*OF_A_LESSON, "sequence")}
    times = {"told_at": told.measured_at, "measured_at": min(told.measured_at + behind_s, received)}
    return {"executor": executor, **own, **times, "received_at": received, "reported_by": by}


def _require_same(connection: Any, executor: str, known: Sequence[Measurement]) -> None:
    numbers = [m.sequence for m in known]
    wanted = and_(measurements.c.executor == executor, measurements.c.sequence.in_(numbers))
    kept = {row.sequence: row._mapping for row in connection.execute(select(measurements).where(wanted))}
    for told in known:
        row = kept[told.sequence]
        if any(row[name] != getattr(told, name) for name in OF_A_LESSON):
            raise Conflict(f"executor {executor} reported something else under number {told.sequence} before")


def _entry(row: Any) -> Entry:
    lesson = Lesson(**{name: row[name] for name in (*OF_A_LESSON, "measured_at", "executor")})
    return Entry(number=row["number"], executor=row["executor"], lesson=lesson)
