"""A frontier as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import fields

from planner.frontier.frontier import Frontier
from planner.frontier.point import Point
from planner.writing import csv_cell

SCHEMA_VERSION = 1


def as_json(frontier: Frontier) -> dict[str, object]:
    """The whole answer as plain values. Keys are only ever added; `schema_version` counts changes that break."""
    return {
        "schema_version": SCHEMA_VERSION,
        "currency": "USD",
        "model": frontier.model.name,
        "request": frontier.swept.request.model_dump(mode="json"),
        "candidates": len(frontier.swept),
        "frontier": [point.as_json() for point in frontier.points],
        "avoided": [point.as_json() for point in frontier.avoided],
        "rule_choices": [point.as_json() for point in frontier.choices],
        "disagreement": frontier.disagreement,
    }


def as_csv(frontier: Frontier) -> str:
    """One line a point: the set, the rule book's choices beside it, and what rules advise against."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Point)])
    beside = [point for point in frontier.choices if point.standing != "in the set"]
    for point in (*frontier.points, *beside, *frontier.avoided):
        writer.writerow([csv_cell(value) for value in point.as_json().values()])
    return text.getvalue()
