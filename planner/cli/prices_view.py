"""Price lines as a table in a terminal."""

from __future__ import annotations

from datetime import date

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.prices.ages import age_days, stale_after_days
from planner.prices.line import PriceLine

COLUMNS = ("accelerator", "USD/hour", "provider", "kind", "as of", "source")


def print_prices(lines: tuple[PriceLine, ...], console: Console, today: date) -> None:
    """One line a price: USD an hour of one, who, how, when, and where from; old ones are marked."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    rows = [_row(line, today) for line in lines]
    for number, title in enumerate(COLUMNS[:-1]):
        widest = max([len(title), *(row[number].cell_len for row in rows)])
        table.add_column(title, justify="right" if title == "USD/hour" else "left", min_width=widest)
    table.add_column(COLUMNS[-1], overflow="ellipsis", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(f"\n{len(lines)} prices in USD for an hour of one. Bold: taken where nothing else is asked.")
    old = sum(_is_old(line, today) for line in lines)
    if old:
        console.print(Text(f"! {old} are, or may be, older than {stale_after_days()} days: ask again.", style="yellow"))


def _row(line: PriceLine, today: date) -> tuple[Text, ...]:
    old = _is_old(line, today)
    kind = f"{line.price_type}, {line.term_months} months" if line.term_months else line.price_type
    said = f"{line.provenance}; {line.note}" if line.note else line.provenance
    return (
        Text(_name(line)),
        Text(f"{line.usd_per_hour:,.4g}", style="bold" if line.is_default or line.file else ""),
        Text(line.provider),
        Text(kind),
        Text(f"{line.as_of} !" if old else line.as_of, style="yellow" if old else ""),
        Text(said, style="dim"),
    )


def _is_old(line: PriceLine, today: date) -> bool:
    return age_days(line.as_of, today)[1] > stale_after_days()


def _name(line: PriceLine) -> str:
    return f"{line.name} {line.vcpus} vCPU, {line.memory_gib:g} GiB" if line.vcpus else line.name
