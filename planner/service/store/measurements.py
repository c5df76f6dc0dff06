"""The ledger's lines: kept once under (executor, sequence), numbered as they come, by the service's own clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, and_, func, select

from planner.learned.lessons import Lesson
from planner.ledger.report import Entry, Receipt, Report
from planner.service.store.keeping import Told, keep_together
from planner.service.store.ledger_table import OF_A_LESSON, Conflict, measurements

__all__ = ["Conflict", "Measured", "MeasurementStore", "measurements"]


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


@dataclass(frozen=True, slots=True)
class MeasurementStore:
    """The ledger in the database."""

    engine: Engine

    def keep(self, report: Report, reported_by: str, received_at: float | None = None) -> Receipt:
        """Keep what is new, all or nothing. Conflict when a number comes again with another content.

        The executor's clock is set right by the difference between `sent_at` and the service's clock on arrival.
        """
        told = Told(report, reported_by, time.time() if received_at is None else received_at)
        (became,) = keep_together(self.engine, [told])
        if isinstance(became, Conflict):
            raise became
        return became

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

    def _complete_to(self) -> int:
        """The highest number below which no line is still being written: a reader must not pass one to come."""
        with self.engine.begin() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(845124)")
            return int(connection.execute(select(func.max(measurements.c.number))).scalar() or 0)


def _entry(row: Any) -> Entry:
    lesson = Lesson(**{name: row[name] for name in (*OF_A_LESSON, "measured_at", "executor")})
    return Entry(number=row["number"], executor=row["executor"], lesson=lesson)
