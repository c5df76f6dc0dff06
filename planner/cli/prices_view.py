"""Price lines as a table in a terminal."""

from __future__ import annotations

from datetime import date

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.prices.ages import age_days, stale_after_days
from planner.prices.finding import find_price
from planner.prices.line import PriceLine
from planner.prices.skypilot import LeftOut
from planner.prices.table import PriceTable

COLUMNS = ("accelerator", "USD/hour", "provider", "kind", "as of", "source")
LEAST_OF_A_SOURCE = 20


def print_prices(lines: tuple[PriceLine, ...], prices: PriceTable, console: Console, today: date) -> None:
    """One line a price: USD an hour of one, who, how, when, where from; old ones are marked, those taken are bold."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    taken = {find_price(line.name, table=prices) for line in lines}
    rows = [_row(line, line in taken, today) for line in lines]
    left = console.width
    for number, title in enumerate(COLUMNS[:-1]):
        left -= max([len(title), *(row[number].cell_len for row in rows)]) + 2
        table.add_column(title, justify="right" if title == "USD/hour" else "left", no_wrap=True)
    table.add_column(COLUMNS[-1])
    for row in rows:
        row[-1].truncate(max(left, LEAST_OF_A_SOURCE), overflow="ellipsis")
        table.add_row(*row)
    console.print(table)
    console.print(f"\n{len(lines)} prices in USD for an hour of one. Bold: taken where nothing else is asked.")
    old = sum(_is_old(line, today) for line in lines)
    if old:
        console.print(Text(f"! {old} are, or may be, older than {stale_after_days()} days: ask again.", style="yellow"))


def print_left_out(left_out: tuple[LeftOut, ...], console: Console) -> None:
    """What SkyPilot offers and no price was taken from: by reason, the accelerators with the clouds that rent them."""
    for why in dict.fromkeys(each.why for each in left_out):
        names = ", ".join(f"{each.name} ({', '.join(each.providers)})" for each in left_out if each.why == why)
        console.print(Text(f"Left out of SkyPilot's, {why}: {names}", style="dim"))


def _row(line: PriceLine, is_taken: bool, today: date) -> tuple[Text, ...]:
    old = _is_old(line, today)
    kind = f"{line.price_type}, {line.term_months} months" if line.term_months else line.price_type
    said = f"{line.provenance}; {line.note}" if line.note else line.provenance
    return (
        Text(_name(line)),
        Text(f"{line.usd_per_hour:,.4g}", style="bold" if is_taken else ""),
        Text(line.provider),
        Text(kind),
        Text(f"{line.as_of} !" if old else line.as_of, style="yellow" if old else ""),
        Text(said, style="dim"),
    )


def _is_old(line: PriceLine, today: date) -> bool:
    return age_days(line.as_of, today)[1] > stale_after_days()


def _name(line: PriceLine) -> str:
    return f"{line.name} {line.vcpus} vCPU, {line.memory_gib:g} GiB" if line.vcpus else line.name
