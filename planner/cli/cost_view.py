"""Costs as a person reads them in a terminal: the answer, the table, one line followed, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from planner.costs.case import Case, Range
from planner.costs.comparison import Comparison
from planner.costs.derivation import derivation, money
from planner.costs.telling import assumptions, cheaper_sentences, headline, warnings
from planner.figures import figure, usd


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the whole comparison."""
    console.print(Text(headline(comparison), style="bold green"))
    for title, body in _sections(comparison):
        console.print(f"\n[bold]{title}[/bold]")
        console.print(Padding(body, (0, 0, 0, 2)))


def _sections(comparison: Comparison) -> Iterator[tuple[str, RenderableType]]:
    yield "Plans", _plans(comparison)
    yield "USD per 1M output tokens, if they carry the whole cost", _everything_on_output(comparison)
    yield "USD per 1M tokens, told apart by the machine's time", _apart(comparison)
    if comparison.terms.requests_per_s is not None:
        yield f"A month at {figure(comparison.terms.requests_per_s)} requests/s", _month(comparison)
    said = cheaper_sentences(comparison)
    if said:
        yield "Which is cheaper", Group(*(Text(sentence) for sentence in said))
    best = comparison.cheapest
    yield f"From price to dollar, plan {best.label}", _steps(best)
    yield "Prices", _prices(comparison)
    if beware := warnings(comparison):
        yield "Warnings", Group(*(Text(f"! {warning}", style="yellow") for warning in beware))
    yield "Assumptions", Group(*(Text(f"- {assumption}", style="dim") for assumption in assumptions(comparison)))


def _plans(comparison: Comparison) -> Table:
    table = _table(("", "plan"), ("accelerators", "USD/hour", "in flight", "tokens/s", "90 % interval"))
    for case in comparison.cases:
        span = case.throughput.span
        interval = "measured" if case.throughput.measured else f"{figure(span.low)} to {figure(span.high)}"
        row = (str(case.accelerators), usd(case.usd_per_hour), str(case.workload.concurrency), figure(span.value))
        table.add_row(case.label, case.name, *row, interval)
    return table


def _everything_on_output(comparison: Comparison) -> Table:
    table = _table(("",), ("USD per 1M output", "from speed", "from price", "both"))
    for case in comparison.cases:
        output = case.ranged(case.tokens.all_on_output)
        table.add_row(case.label, usd(output.value), *_spans(output))
    return table


def _apart(comparison: Comparison) -> Table:
    table = _table(("",), ("input", "cached input", "output", "blended", "a request"))
    for case in comparison.cases:
        tokens = case.tokens
        row = (tokens.input, tokens.cached_input, tokens.output, tokens.blended, tokens.usd_per_request)
        table.add_row(case.label, *(money(value) for value in row))
    return table


def _table(texts: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in texts:
        table.add_column(title)
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _month(comparison: Comparison) -> Table:
    load = comparison.terms.requests_per_s or 0.0
    table = _table(("",), ("copies", "accelerators", "busy", "USD a month", "from speed", "from price", "both"))
    for case in comparison.cases:
        taken, month = case.at_load(load), case.month_range(load)
        table.add_row(
            case.label,
            f"{taken.copies:,}",
            f"{taken.accelerators:,}",
            f"{taken.busy:.0%}",
            usd(month.value),
            *_spans(month),
        )
    if comparison.terms.api:
        table.add_row("API", "", "", "", usd(comparison.api_month(comparison.terms.api, load)), "", "", "")
    return table


def _spans(range: Range) -> tuple[str, str, str]:
    return (
        _span(range.speed_low, range.speed_high),
        _span(range.price_low, range.price_high),
        _span(range.low, range.high),
    )


def _span(low: float, high: float) -> str:
    return "-" if low == high else f"{usd(low)} to {usd(high)}"


def _steps(case: Case) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right", no_wrap=True, style="bold")
    table.add_column()
    for step in derivation(case):
        table.add_row(step.name, step.result, Text(f"= {step.arithmetic}"))
        if step.source:
            table.add_row("", "", Text(step.source, style="dim"))
    return table


def _prices(comparison: Comparison) -> Group:
    return Group(*(line for case in comparison.cases for line in _price_of(case)))


def _price_of(case: Case) -> Iterator[Text]:
    hourly = case.hourly
    yield Text(f"{case.label}  {usd(hourly.usd_per_hour)} an hour for one {case.plan.hardware.name}: {hourly.label}")
    yield Text(f"   {hourly.provenance}", style="dim")
    if len(hourly.others) > 1:
        others = ", ".join(f"{line.provider} {usd(line.usd_per_hour)} ({line.as_of})" for line in hourly.others)
        yield Text(f"   {hourly.kind} at all providers: {others}", style="dim")
