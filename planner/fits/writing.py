"""Candidates as JSON and as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from planner.errors import BadInput
from planner.fits.fit import Fit
from planner.fits.on_hardware import Answer

SCHEMA_VERSION = 1
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def as_json(answer: Answer) -> dict[str, object]:
    """The whole answer as plain values. Keys are only ever added; `schema_version` counts changes that break."""
    return {
        "schema_version": SCHEMA_VERSION,
        "hardware": answer.hardware,
        "question": asdict(answer.question),
        "counts": {**asdict(answer.counts), "without_room": answer.counts.without_room},
        "notes": list(answer.notes),
        "fits": [fit.as_json() for fit in answer.fits],
    }


def as_csv(fits: Sequence[Fit]) -> str:
    """One line a candidate, under the names of `Fit`'s fields."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([field.name for field in fields(Fit)])
    writer.writerows([_cell(value) for value in fit.as_json().values()] for fit in fits)
    return text.getvalue()


def write_aside(path: Path, text: str) -> None:
    """Write the file whole: aside first, then renamed. BadInput when it cannot be written."""
    aside = path.with_name(path.name + ".part")
    try:
        aside.write_text(text, encoding="utf-8", newline="")
        aside.replace(path)
    except OSError as error:
        raise BadInput(f"cannot write: {error.strerror}", where=str(path), fix="name another file") from None


def _cell(value: object) -> object:
    """A spreadsheet takes text that begins like a formula for one; an apostrophe keeps it text."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value
