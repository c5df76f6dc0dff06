"""Reports become lines of the ledger: all that are given together in one transaction, each of them whole or not at all.

In PostgreSQL that is one statement for any number of lines, whose text never changes; its parameter is all of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Engine, TextClause, and_, select, text
from sqlalchemy.dialects import postgresql, sqlite

from planner.ledger.report import Measurement, Receipt, Report
from planner.service.store.database import writing
from planner.service.store.ledger_table import OF_A_LESSON, Conflict, let_writers_beside, measurements

COLUMNS: tuple[Column[Any], ...] = tuple(column for column in measurements.c if column.name != "number")
Line = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Told:
    """A report as it came in. `received_at`: by the service's clock, which sets the executor's right."""

    report: Report
    reported_by: str
    received_at: float

    @property
    def behind_s(self) -> float:
        """What the executor's clock is behind the service's."""
        return self.received_at - self.report.sent_at


def keep_together(engine: Engine, told: Sequence[Told]) -> list[Receipt | Conflict]:
    """What became of each report, in their order. One that conflicts keeps nothing; the others are kept."""
    try:
        with writing(engine) as connection:
            let_writers_beside(connection)
            return list(_kept(connection, told))
    except Conflict as conflict:
        if len(told) == 1:
            return [conflict]
    return [keep_together(engine, [each])[0] for each in told]


def _kept(connection: Connection, told: Sequence[Told]) -> list[Receipt]:
    """Lines in one order everywhere, so that two writers never wait for each other's."""
    rows = [_row(each, measured) for each in told for measured in each.report.measurements]
    new = _inserted(connection, sorted(rows, key=lambda row: (row["executor"], row["sequence"])))
    return [_receipt(connection, each, new) for each in told]


def _inserted(connection: Connection, rows: list[dict[str, Any]]) -> set[Line]:
    """The lines that were not there before, by executor and number."""
    if connection.dialect.name == "postgresql":
        told = connection.execute(_from_json(), {"lines": json.dumps(rows)})
        return {(row.executor, row.sequence) for row in told}
    once = sqlite.insert(measurements).on_conflict_do_nothing(index_elements=["executor", "sequence"])
    back = once.returning(measurements.c.executor, measurements.c.sequence)
    return {(row.executor, row.sequence) for row in connection.execute(back, rows)}


@cache
def _from_json() -> TextClause:
    """The one statement that inserts any number of lines, given as one JSON array of objects."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    names = ", ".join(column.name for column in COLUMNS)
    typed = ", ".join(f"{column.name} {column.type.compile(dialect)}" for column in COLUMNS)
    return text(
        f"INSERT INTO measurements ({names}) "
        f"SELECT {names} FROM json_to_recordset(CAST(:lines AS json)) AS told({typed}) "
        "ON CONFLICT (executor, sequence) DO NOTHING RETURNING executor, sequence"
    )


def _receipt(connection: Connection, told: Told, new: set[Line]) -> Receipt:
    """Of two reports of the same line the first has brought it. Conflict where a known one has another content."""
    executor = told.report.executor
    own = {(executor, measured.sequence) for measured in told.report.measurements} & new
    new -= own
    known = [measured for measured in told.report.measurements if (executor, measured.sequence) not in own]
    if known:
        _require_same(connection, executor, known)
    return Receipt(new=len(own), known=len(known), clock_behind_s=told.behind_s)


def _row(told: Told, measured: Measurement) -> dict[str, Any]:
    own = {name: getattr(measured, name) for name in (*OF_A_LESSON, "sequence")}
    at = min(measured.measured_at + told.behind_s, told.received_at)
    times = {"told_at": measured.measured_at, "measured_at": at, "received_at": told.received_at}
    return {"executor": told.report.executor, **own, **times, "reported_by": told.reported_by}


def _require_same(connection: Connection, executor: str, known: Sequence[Measurement]) -> None:
    numbers = [measured.sequence for measured in known]
    wanted = and_(measurements.c.executor == executor, measurements.c.sequence.in_(numbers))
    kept = {row.sequence: row._mapping for row in connection.execute(select(measurements).where(wanted))}
    for told in known:
        row = kept[told.sequence]
        if any(row[name] != getattr(told, name) for name in OF_A_LESSON):
            raise Conflict(f"executor {executor} reported something else under number {told.sequence} before")
