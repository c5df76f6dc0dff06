"""Predictions in bulk: rows of a CSV file in, one JSON object a row out, and how many abstained for which reason."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from planner.errors import BadInput


@dataclass(frozen=True, slots=True)
class Summary:
    """How many rows were answered, and how many abstained for which reason; `meanings` says what each reason means."""

    cases: int
    abstained: Mapping[str, int]
    meanings: Mapping[str, str]

    @classmethod
    def of(cls, reasons: Sequence[str | None], meanings: Mapping[str, str]) -> Summary:
        """Over all rows, by why each abstained (None: it was answered)."""
        return cls(len(reasons), Counter(reason for reason in reasons if reason), meanings)

    @property
    def predicted(self) -> int:
        return self.cases - sum(self.abstained.values())

    def meaning(self, reason: str) -> str:
        return self.meanings[reason]

    def as_json(self) -> dict[str, object]:
        return {"cases": self.cases, "predicted": self.predicted, "abstained": dict(self.abstained)}


def read_rows(path: Path, needed: Sequence[str]) -> list[dict[str, str | None]]:
    """All rows of a CSV file. BadInput when it is missing, unreadable or lacks a needed column."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows: list[dict[str, str | None]] = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        what = getattr(error, "strerror", None) or error
        raise BadInput(f"cannot read the cases: {what}", where=str(path), fix="name a CSV file") from None
    missing = [column for column in needed if rows and column not in rows[0]]
    if missing or not rows:
        what = f"no column {missing[0]!r}" if missing else "no rows"
        raise BadInput(what, where=str(path), fix=f"give at least the columns {', '.join(needed)}")
    return rows


def write_lines(path: Path, answers: Iterable[Mapping[str, object]]) -> None:
    """One JSON object a line, whole or not at all. BadInput when the file cannot be written."""
    aside = path.with_name(path.name + ".part")
    try:
        aside.write_text("".join(json.dumps(answer) + "\n" for answer in answers), encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise BadInput(f"cannot write: {error.strerror}", where=str(path), fix="name another --out file") from None
