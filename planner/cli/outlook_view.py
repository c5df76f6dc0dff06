"""The outlook of a plan under its open load, as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from planner.figures import figure
from planner.plan import Outlook, Plan
from planner.serving.telling import COLUMNS, carried


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
