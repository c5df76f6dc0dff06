"""The report as one self-contained HTML page: no script, no font, no image from elsewhere; all text is escaped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from executor.report.document import Finding, Report
from executor.report.drawing import interval_marks, memory_segments, timeline
from executor.report.templating import render
from planner.figures import figure, usd
from planner.units import GIB

TITLES = {
    "artifact_bytes": "Size of the file",
    "weights_gib": "Weights in memory",
    "kv_cache_gib": "KV cache",
    "kv_tokens": "Tokens the KV cache holds",
    "host_memory_gib": "Memory of the server",
    "compute_buffer_gib": "Compute buffer",
    "ttft_ms": "Time to first token",
    "tpot_ms": "Time per output token",
    "output_tokens_per_s": "Throughput, whole server",
    "largest_concurrency": "Requests at once within targets",
    "perplexity_increase_percent": "Perplexity increase",
    "usd_per_1m_output_tokens": "Cost of 1M output tokens",
}


def render_page(report: Report) -> str:
    """The page's HTML."""
    filters = {function.__name__: function for function in FILTERS}
    return render("report.html.j2", {"report": report}, filters, FUNCTIONS)


def memory(gib: float | None) -> str:
    """GiB, or MiB where that reads better."""
    if gib is None:
        return figure(None)
    return f"{figure(gib)} GiB" if gib >= 0.1 else f"{figure(gib * 1024)} MiB"


def quantity(value: float | None, unit: str) -> str:
    """A figure with its unit, as people write it."""
    if value is None:
        return figure(None)
    if unit == "GiB":
        return memory(value)
    if unit == "bytes":
        return memory(value / GIB)
    if unit == "USD":
        return usd(value)
    return f"{figure(value)} {unit}"


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


def title_of(name: str) -> str:
    """What a prediction is called on the page."""
    return TITLES.get(name, name.replace("_", " "))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "interval_marks": interval_marks,
    "segments": memory_segments,
    "timeline": timeline,
}
FILTERS = (figure, usd, memory, quantity, interval, percent, seconds, title_of)
