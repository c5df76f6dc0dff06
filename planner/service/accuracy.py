"""How right predictions were: those of the ledger against what was measured, by engine, hardware, format and figure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import median

from pydantic import Field

from planner.request import Frozen
from planner.service.store.measurements import Measured

PARTS_AFTER_THE_FORMAT = 3  # of a lesson's configuration: `model, format, 8 x 1000 in, 300 out, context 1300`
UNKNOWN = "unknown"


class Accuracy(Frozen):
    """The errors of one figure on one kind of machine, engine and format. An error is predicted / measured - 1.

    `runs` measured it, on `executors` machines of the kind. `at` is by the ledger's clock, in seconds since the epoch.
    """

    machine: str
    engine: str
    engine_version: str
    format: str
    figure: str
    runs: int
    executors: int
    median_error: float = Field(description="signed: above 0 is predicted too high")
    median_absolute_error: float
    lowest_error: float
    highest_error: float
    newest_at: float


def accuracy(measured: Iterable[Measured]) -> list[Accuracy]:
    """Every group that was measured at all, those of most runs first; nothing is said of others."""
    groups: defaultdict[tuple[str, ...], list[Measured]] = defaultdict(list)
    for one in measured:
        groups[one.machine, one.engine, one.engine_version, format_of(one.configuration), one.figure].append(one)
    found = [_line(key, members) for key, members in groups.items()]
    return sorted(found, key=lambda line: (-line.runs, line.machine, line.engine, line.format, line.figure))


def format_of(configuration: str) -> str:
    """The format in a lesson's configuration; unknown where it is not one of ours."""
    parts = configuration.rsplit(", ", PARTS_AFTER_THE_FORMAT + 1)
    return parts[1] if len(parts) == PARTS_AFTER_THE_FORMAT + 2 else UNKNOWN


def _line(key: tuple[str, ...], members: list[Measured]) -> Accuracy:
    errors = [one.predicted / one.measured - 1 for one in members]
    machine, engine, version, format, figure = key
    return Accuracy(
        machine=machine,
        engine=engine,
        engine_version=version,
        format=format,
        figure=figure,
        runs=len({(one.executor, one.run_id) for one in members}),
        executors=len({one.executor for one in members}),
        median_error=median(errors),
        median_absolute_error=median(abs(error) for error in errors),
        lowest_error=min(errors),
        highest_error=max(errors),
        newest_at=max(one.measured_at for one in members),
    )
