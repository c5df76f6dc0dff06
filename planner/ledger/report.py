"""What an executor reports, and what the ledger answers: the messages between the two."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from planner.learned.lessons import Lesson
from planner.request import Frozen

MOST_AT_ONCE = 500
ExecutorId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Finite = Annotated[float, Field(gt=0, le=1e12)]
PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
Name = Annotated[str, Field(min_length=1, max_length=400, pattern=PRINTABLE)]


class Measurement(Frozen):
    """One lesson under the executor's own running number, which makes reporting it twice the same as once."""

    sequence: Annotated[int, Field(ge=1, le=2**53)]
    machine: Name
    engine: Name
    engine_version: Name
    kernel: Name
    configuration: Name
    figure: Name
    predicted: Finite
    measured: Finite
    run_id: Annotated[str, Field(pattern=r"^[0-9a-f]{4,32}$")]
    measured_at: Annotated[float, Field(ge=0, le=1e11)]

    @classmethod
    def of(cls, lesson: Lesson, sequence: int) -> Measurement:
        return cls(sequence=sequence, **lesson.model_dump(exclude={"executor"}))


class Report(Frozen):
    """Measurements of one executor. `sent_at` is its clock now: the ledger tells by it how far that clock is off."""

    executor: ExecutorId
    sent_at: Annotated[float, Field(ge=0, le=1e11)]
    measurements: Annotated[tuple[Measurement, ...], Field(min_length=1, max_length=MOST_AT_ONCE)]


class Receipt(Frozen):
    """What became of a report: how many are new, how many were known, and how far the executor's clock is behind."""

    new: int
    known: int
    clock_behind_s: float


class Entry(Frozen):
    """One line of the ledger. `measured_at` is by the ledger's clock; `number` grows with each line."""

    number: int
    executor: ExecutorId
    lesson: Lesson
