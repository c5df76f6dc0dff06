"""Reporting to a ledger and reading from it. Each part that was confirmed is written down; broken off, it goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from planner.learned.lessons import Lesson, held, lessons_path, read_lessons, write_lessons
from planner.ledger.outbox import name_of, read_outbox, write_outbox
from planner.ledger.report import MOST_AT_ONCE, Entry, Receipt, Report

PAGE = 500


class Ledger(Protocol):
    """A service that keeps a ledger. Raises QuantplanError where it says no or is not there."""

    def report(self, report: Report) -> Receipt: ...

    def entries(self, after: int, limit: int) -> Sequence[Entry]: ...


def push(home: Path, ledger: Ledger, clock: Any = time.time) -> tuple[int, int]:
    """Report what the ledger has not confirmed yet: (new there, known there already)."""
    lessons = read_lessons(lessons_path(home))
    outbox = read_outbox(home).numbered(lessons)
    write_outbox(home, outbox)
    new = known = 0
    waiting = outbox.waiting(lessons)
    for start in range(0, len(waiting), MOST_AT_ONCE):
        part = tuple(waiting[start : start + MOST_AT_ONCE])
        receipt = ledger.report(Report(executor=outbox.executor, sent_at=clock(), measurements=part))
        new, known = new + receipt.new, known + receipt.known
        outbox = outbox.model_copy(update={"confirmed": part[-1].sequence})
        write_outbox(home, outbox)
    return new, known


def pull(home: Path, ledger: Ledger) -> int:
    """Take over what others reported since the last time; returns how many lessons are new here."""
    outbox, taken = read_outbox(home), 0
    while entries := ledger.entries(outbox.read_to, PAGE):
        taken += keep(home, [entry.lesson for entry in entries if entry.executor != outbox.executor])
        outbox = outbox.model_copy(update={"read_to": entries[-1].number})
        write_outbox(home, outbox)
    return taken


def keep(home: Path, told: Sequence[Lesson]) -> int:
    """Add the lessons that are not known here; how many those were."""
    path = lessons_path(home)
    with held(path):
        lessons = read_lessons(path)
        known = {(lesson.executor, name_of(lesson)) for lesson in lessons}
        new = [lesson for lesson in told if (lesson.executor, name_of(lesson)) not in known]
        if new:
            write_lessons(path, [*lessons, *new])
    return len(new)
