"""A simulated day as a person reads it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from planner.figures import figure, usd
from planner.scale.answering import Simulated
from planner.scale.tally import PERCENTILES


def print_days(days: Sequence[Simulated], console: Console) -> None:
    """Print what each model's day came to, and all together."""
    for day in days:
        _print(day, console)
    if len(days) > 1:
        requests = sum(day.counts.requests for day in days)
        within = sum(day.counts.within for day in days) / requests if requests else 1.0
        known = [day.usd for day in days if day.usd is not None]
        total = usd(sum(known)) if len(known) == len(days) else "a price is not known"
        console.print(f"[bold]Together[/bold]: {requests:,.0f} requests, {within:.2%} within their targets; {total}")


def _print(day: Simulated, console: Console) -> None:
    counts, targets = day.counts, day.targets
    asked = ", ".join(
        f"{name} {figure(value)} ms" for name, value in (("TTFT", targets.ttft_ms), ("TPOT", targets.tpot_ms)) if value
    )
    console.print(
        f"[bold]{escape(day.name)}[/bold]: {escape(day.traffic)}, {counts.requests:,.0f} requests (simulated)"
    )
    hours = f"{day.seconds / 3600:.3g} h"
    console.print(
        f"  {day.attainment:.2%} within {asked or 'no targets'}; {usd(day.usd)} for {hours}, "
        f"{usd(day.usd_per_month)} a month of such days"
    )
    console.print(
        f"  up to {day.peak_copies} copies, {figure(counts.copy_hours)} copy-hours, "
        f"{counts.starts} starts of {figure(day.start_s)} s"
    )
    console.print(
        f"  {counts.node_failures} machines failed, {counts.reclaims} copies reclaimed; "
        f"longest queue {figure(counts.longest_queue_s)} s"
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("ms")
    for percentile in PERCENTILES:
        table.add_column(f"p{percentile:g}", justify="right")
    table.add_row("  time to first token", *map(figure, day.ttft_ms))
    table.add_row("  time per output token", *map(figure, day.tpot_ms))
    console.print(table)
