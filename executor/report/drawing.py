"""Coordinates of the page's small drawings. Plain numbers: the template holds the marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from executor.report.document import Finding, MemoryPart

MARGIN = 0.12  # of the drawn range, left free at both ends


@dataclass(frozen=True, slots=True)
class IntervalMarks:
    """Where an interval, its prediction and the measurement lie, as shares (0-1) of the drawing's width."""

    low: float
    high: float
    predicted: float
    measured: float | None


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a stacked bar: shares (0-1) of its full width."""

    label: str
    index: int
    start: float
    width: float
    gib: float


@dataclass(frozen=True, slots=True)
class Lane:
    """One request on the timeline: shares (0-1) of the load test's duration."""

    row: int
    sent: float
    first_token: float | None
    ended: float
    failed: bool


def interval_marks(finding: Finding) -> IntervalMarks | None:
    """None where there is no interval to draw."""
    if finding.predicted is None or finding.low is None or finding.high is None:
        return None
    shown = [finding.low, finding.high, finding.predicted]
    shown += [finding.measured] if finding.measured is not None else []
    begin, span = min(shown), (max(shown) - min(shown)) or 1.0

    def place(value: float) -> float:
        return MARGIN + (value - begin) / span * (1 - 2 * MARGIN)

    measured = None if finding.measured is None else place(finding.measured)
    return IntervalMarks(place(finding.low), place(finding.high), place(finding.predicted), measured)


def memory_segments(parts: Sequence[MemoryPart], which: str) -> list[Segment]:
    """The parts as stacked stretches; both bars (`predicted_gib`, `measured_gib`) share one scale."""
    total = max(sum(getattr(p, name) or 0.0 for p in parts) for name in ("predicted_gib", "measured_gib"))
    segments: list[Segment] = []
    end = 0.0
    for index, part in enumerate(parts):
        gib = getattr(part, which) or 0.0
        if gib and total:
            segments.append(Segment(part.label, index, end, gib / total, gib))
            end += gib / total
    return segments


def timeline(exchanges: Sequence[Mapping[str, Any]]) -> list[Lane]:
    """Requests on as many rows as were in flight at once, each on the first row that is free when it is sent."""
    if not exchanges:
        return []
    begin = min(e["sent_s"] for e in exchanges)
    span = (max(e["ended_s"] for e in exchanges) - begin) or 1.0
    lanes: list[Lane] = []
    free_from: list[float] = []
    for e in sorted(exchanges, key=lambda e: float(e["sent_s"])):
        row = next((r for r, free in enumerate(free_from) if free <= e["sent_s"]), len(free_from))
        free_from[row : row + 1] = [e["ended_s"]]
        first = None if e["first_token_s"] is None else (e["first_token_s"] - begin) / span
        lanes.append(Lane(row, (e["sent_s"] - begin) / span, first, (e["ended_s"] - begin) / span, bool(e["error"])))
    return lanes
