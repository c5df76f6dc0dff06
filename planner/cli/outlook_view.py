"""The outlook of a plan under its open load, as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from planner.figures import figure
from planner.plan import Outlook, Plan

COLUMNS = ("mean", "p50", "p95", "p99")


def outlook_lines(plan: Plan, outlook: Outlook) -> Group:
    """Waits by percentile, then what the copies carry and how many the load takes."""
    if outlook.abstained:
        return Group(Text(f"unknown: {outlook.abstained}"))
    hint = (Text(outlook.hint, style="yellow"),) if outlook.hint else ()
    return Group(*_waits(outlook), Text(carried(plan, outlook)), *hint)


def _waits(outlook: Outlook) -> Iterator[RenderableType]:
    waits = {
        "time to first token": outlook.ttft_ms,
        "time per output token": outlook.tpot_ms,
        "whole request": outlook.end_to_end_ms,
    }
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("ms")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for label, found in waits.items():
        if found:
            table.add_row(label, *(figure(getattr(found, column)) for column in COLUMNS))
    if table.row_count:
        yield table


def carried(plan: Plan, outlook: Outlook) -> str:
    """What the copies carry, up to where they meet the targets, and how many the load takes."""
    capacity, largest = outlook.capacity_requests_per_s, outlook.largest_requests_per_s
    words = f"Carries at most {figure(capacity)} requests/s"
    if outlook.ttft_ms is None:
        words = f"The server cannot keep up with {figure(outlook.requests_per_s)} requests/s: it {words.lower()}"
    level = plan.request.service_level
    if level.ttft_ms is None and level.tpot_ms is None:
        return f"{words}. {_copies(outlook)}"
    if largest is None:
        return f"{words}. A request alone on the server misses the targets already: no number of copies meets them."
    return f"{words}; meets the targets ({level.percentile}) up to {figure(largest)}. {_copies(outlook)}"


def _copies(outlook: Outlook) -> str:
    return f"Copies of the model that this load takes: {outlook.replicas_needed}."
