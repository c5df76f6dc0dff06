"""This machine's side of the ledger: which lessons were reported under which number, and how far it has read.

Numbers are given and written down before anything is sent, so that what is sent again is sent under the same number.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from planner.errors import BadInput
from planner.learned.lessons import Lesson
from planner.ledger.report import Measurement
from planner.request import Frozen

FILE = "ledger.json"


class Outbox(Frozen):
    """`numbers` of lessons by their names; the ledger has all up to `confirmed`, and was read up to its `read_to`."""

    executor: str
    numbers: dict[str, int] = {}
    confirmed: int = 0
    read_to: int = 0

    def numbered(self, lessons: Sequence[Lesson]) -> Outbox:
        """The same with a number for each of this machine's own lessons."""
        numbers = dict(self.numbers)
        for lesson in lessons:
            if not lesson.executor:
                numbers.setdefault(name_of(lesson), len(numbers) + 1)
        return self.model_copy(update={"numbers": numbers})

    def waiting(self, lessons: Sequence[Lesson]) -> list[Measurement]:
        """What the ledger has not confirmed, in order."""
        own = {self.numbers[name_of(lesson)]: lesson for lesson in lessons if not lesson.executor}
        return [Measurement.of(own[number], number) for number in sorted(own) if number > self.confirmed]


def name_of(lesson: Lesson) -> str:
    """A lesson by what it is of: a run measures each figure once."""
    return f"{lesson.run_id} {lesson.figure} {lesson.configuration}"


def read_outbox(home: Path) -> Outbox:
    """The outbox; a new one, with a new executor's id, when there is none. BadInput when it is broken."""
    path = home / FILE
    try:
        return Outbox.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Outbox(executor=uuid.uuid4().hex)
    except ValidationError as error:
        fix = "remove it: this machine then reports everything again, as a new executor"
        raise BadInput(f"not a ledger's outbox: {error.errors()[0]['msg']}", where=str(path), fix=fix) from None


def write_outbox(home: Path, outbox: Outbox) -> None:
    """Replace the file; written aside first, then renamed."""
    home.mkdir(parents=True, exist_ok=True)
    aside = home / f"{FILE}.partial-{os.getpid()}"
    aside.write_text(outbox.model_dump_json(indent=1) + "\n", encoding="utf-8")
    aside.replace(home / FILE)
