"""The report as one self-contained HTML page: no script, no font, no image from elsewhere; all text is escaped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from executor.report.document import Finding, Report
from executor.report.drawing import interval_marks, memory_segments, timeline
from executor.report.templating import render
from planner.figures import NAMES, figure, memory, usd, with_unit
from planner.units import GIB


def render_page(report: Report) -> str:
    """The page's HTML."""
    filters = {function.__name__: function for function in FILTERS}
    return render("report.html.j2", {"report": report}, filters, FUNCTIONS)


def quantity(value: float | None, unit: str) -> str:
    """A figure with its unit, bytes as memory."""
    return memory(value / GIB) if unit == "bytes" and value is not None else with_unit(value, unit)


def interval(finding: Finding) -> str:
    """The 90 % interval; one too narrow to show by its ends is given as half its width, in percent."""
    if finding.low is None or finding.high is None:
        return ""
    low, high = quantity(finding.low, finding.unit), quantity(finding.high, finding.unit)
    if low == high and finding.predicted:
        return f"± {(finding.high - finding.low) / 2 / finding.predicted * 100:.1g} %"
    number, _, unit = low.partition(" ")
    return f"{number} to {high}" if unit and high.endswith(f" {unit}") else f"{low} to {high}"


def percent(share: float | None) -> str:
    """A signed share, in percent."""
    if share is None:
        return figure(None)
    return f"{share * 100:+.1f} %" if abs(share) < 1 else f"{share * 100:+,.0f} %"


def seconds(value: float | None) -> str:
    """Seconds below two minutes, minutes above."""
    if value is None:
        return figure(None)
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def name_of(name: str) -> str:
    """What a prediction is called within a sentence."""
    return NAMES.get(name, name.replace("_", " "))


def title_of(name: str) -> str:
    """What a prediction is called at the head of its row."""
    named = name_of(name)
    return named[0].upper() + named[1:]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "interval_marks": interval_marks,
    "segments": memory_segments,
    "timeline": timeline,
}
FILTERS = (figure, usd, memory, quantity, interval, percent, seconds, name_of, title_of)
