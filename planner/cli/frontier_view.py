"""A frontier in a terminal: one line a configuration with its stretch of batch limits, and what to know of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.figures import figure, usd
from planner.frontier.frontier import Frontier
from planner.frontier.point import Point
from planner.request import Workload

SHOWN = 20
SHOWN_AVOIDED = 5


def print_frontier(frontier: Frontier, console: Console) -> None:
    """The set by configuration, the rule book's choices, what rules advise against, and one sentence."""
    request, workload = frontier.swept.request, frontier.swept.request.workload
    objective = "cost" if request.objective == "tree" else request.objective
    unbeaten = f"{len(frontier.points):,} of {len(frontier.swept):,} candidates are beaten by nothing"
    lengths = f"{workload.input_tokens:,} tokens in, {workload.output_tokens:,} out"
    console.print(f"[bold]{frontier.model.name}[/bold]: {unbeaten}; best by {objective} first.")
    console.print(f"{lengths}; {_load(workload)}.\n")
    stretches = list(_stretches(frontier.points))
    console.print(_table(stretches[:SHOWN]))
    if len(stretches) > SHOWN:
        console.print(Text(f"... and {len(stretches) - SHOWN} more (--csv and --json give every point)", style="dim"))
    if frontier.points:
        best = frontier.points[0]
        says = f"{usd(best.usd_per_1m_output_tokens)} per 1M, {figure(best.tpot_ms)} ms a token"
        console.print(f"[bold green]* best by {objective}[/bold green]: with {best.batch} in flight, {says}")
    if frontier.choices:
        console.print("\n[bold]The rule book's choice[/bold] [dim]at the requests in flight that were asked for[/dim]")
        console.print(_table([[point] for point in frontier.choices], with_standing=True))
    if frontier.avoided:
        console.print("\n[bold]Not in the set, because a rule advises against it[/bold]")
        console.print(_table(list(islice(_stretches(frontier.avoided), SHOWN_AVOIDED))))
        rules = dict.fromkeys(point.reason for point in frontier.avoided)
        console.print(Text(f"rules: {', '.join(rules)}", style="dim"))
    if frontier.disagreement:
        console.print(f"\n{frontier.disagreement}")
    prices = dict.fromkeys(f"{point.accelerator}: {point.price}" for point in (*frontier.points, *frontier.choices))
    console.print(Text("prices: " + "; ".join(prices), style="dim"))


def _load(workload: Workload) -> str:
    """How busy the copies are that the figures speak of."""
    if workload.requests_per_s is None:
        return "every copy kept full at its batch limit"
    return (
        f"costs at {workload.requests_per_s:g} requests/s, whole copies counted; "
        "times and tokens/s with every copy full at its batch limit"
    )


def _stretches(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Points of one configuration together, in the order in which its first one comes."""
    by_configuration: dict[tuple[object, ...], list[Point]] = {}
    for point in points:
        by_configuration.setdefault(point.configuration, []).append(point)
    for found in by_configuration.values():
        yield sorted(found, key=lambda point: point.batch)


def _table(stretches: Sequence[list[Point]], *, with_standing: bool = False) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("", "hardware", "format", "engine", "KV"):
        table.add_column(title, no_wrap=True)
    at_a_load = any(point.usd_per_month is not None for found in stretches for point in found)
    for title in ("TP", "batch", "TTFT ms", "TPOT ms", "tokens/s", "$/1M out", *(["$/month"] if at_a_load else [])):
        table.add_column(title, justify="right", no_wrap=True)
    if with_standing:
        table.add_column("", no_wrap=True)
    for found in stretches:
        first, last = found[0], found[-1]
        layout = f"{first.tensor_parallel} x{first.replicas}" if first.replicas > 1 else str(first.tensor_parallel)
        table.add_row(
            "*" if any(point.is_best for point in found) else "",
            first.hardware, first.format, first.engine, first.kv_cache, layout,
            _span(str(first.batch), str(last.batch)),
            _span(figure(first.ttft_ms), figure(last.ttft_ms)),
            _span(figure(first.tpot_ms), figure(last.tpot_ms)),
            _span(figure(first.output_tokens_per_s), figure(last.output_tokens_per_s)),
            _span(usd(first.usd_per_1m_output_tokens), usd(last.usd_per_1m_output_tokens)),
            *([_span(_month(first), _month(last))] if at_a_load else []),
            *([first.standing] if with_standing else []),
        )  # fmt: skip
    return table


def _month(point: Point) -> str:
    return "" if point.usd_per_month is None else f"${point.usd_per_month:,.0f}"


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first}-{last}"
