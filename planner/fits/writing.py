"""Candidates as JSON and as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields

from planner.fits.fit import Fit
from planner.fits.on_hardware import Answer
from planner.writing import csv_cell

SCHEMA_VERSION = 1


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
    writer.writerows([csv_cell(value) for value in fit.as_json().values()] for fit in fits)
    return text.getvalue()
