"""A fleet plan as a person reads it: models, nodes, what it costs, what does not fit."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from planner.figures import UNKNOWN, figure, usd
from planner.fleet.answering import FleetPlan
from planner.fleet.fleet import ServedModel
from planner.fleet.option import Option
from planner.fleet.placing import Placed
from planner.fleet.shortages import told

MOST_NODES_SHOWN = 4
MOST_KINDS_SHOWN = 8


def print_fleet(answer: FleetPlan, console: Console, *, everything: bool = False) -> None:
    """Print the plan; `everything`: all nodes of every model."""
    console.print(
        f"[bold]{_counted(len(answer.fleet.models), 'model')} on {escape(answer.cluster.name)}[/bold]: "
        f"{_counted(len(answer.copies), 'copy')} on {answer.gpus_in_use:,} of {answer.cluster.gpus:,} accelerators; "
        f"{usd(answer.usd_per_hour)} an hour, "
        f"{usd(answer.usd_per_month)} a month"
    )
    by = "cost" if answer.fleet.objective == "cost" else "number of accelerators"
    console.print(
        f"The {by} is within {answer.gap:.2%} of the proven optimum (HiGHS); options in {answer.options_s:.2f} s, "
        f"packing in {answer.solving_s:.2f} s.\n"
    )
    console.print(_models(answer, everything))
    console.print()
    console.print(_nodes(answer, everything))
    for shortage in answer.short:
        console.print(f"\n[red]Does not fit:[/red] {escape(told(shortage))}")
        console.print(f"  To fix: {escape(shortage.fix)}")


def _counted(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def _models(answer: FleetPlan, everything: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("model", no_wrap=True)
    for heading in ("copies", "format", "of", "batch", "TTFT", "TPOT ms", "planned/s", "asked/s", "1 node lost"):
        table.add_column(heading, justify="right")
    table.add_column("on")
    for model in answer.fleet.models:
        copies = answer.copies_of(model)
        if not copies:
            table.add_row(escape(model.label), "0", *[UNKNOWN] * 6, figure(model.requests_per_s), UNKNOWN, "nowhere")
        for option, count in Counter(copy.option for copy in copies).items():
            table.add_row(*_row(answer, model, option, count, everything))
    return table


def _row(answer: FleetPlan, model: ServedModel, option: Option, count: int, everything: bool) -> tuple[str, ...]:
    stages = f" x {option.pipeline_parallel} nodes" if option.nodes > 1 else ""
    left = answer.without_worst_node(model)
    here = [copy for copy in answer.copies_of(model) if copy.option == option]
    return (
        escape(model.label),
        f"{count}",
        option.format,
        f"TP {option.tensor_parallel}{stages}",
        f"{option.batch}",
        figure(option.ttft_ms),
        figure(option.tpot_ms),
        figure(option.requests_per_s * count),
        figure(model.requests_per_s),
        f"{left:.0%} left",
        escape(_where(here, everything)),
    )


def _where(copies: list[Placed], everything: bool) -> str:
    """`h100: 0-3, 7`; only the first few unless everything is asked for."""
    numbers = sorted({number for copy in copies for number in copy.nodes})
    ranges = _ranges(numbers)
    shown = ranges if everything else ranges[:MOST_NODES_SHOWN]
    more = f" and {len(ranges) - len(shown)} more" if len(shown) < len(ranges) else ""
    return f"{copies[0].option.node_type}: {', '.join(shown)}{more}"


def _ranges(numbers: list[int]) -> list[str]:
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    return [f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in found]


def _nodes(answer: FleetPlan, everything: bool) -> Table:
    """Kinds of nodes; of many only those in use, unless everything is asked for."""
    kinds = answer.cluster.nodes
    if not everything and len(kinds) > MOST_KINDS_SHOWN:
        kinds = tuple(node for node in kinds if answer.nodes_in_use.get(node.name))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("nodes")
    table.add_column("accelerators")
    for heading in ("count", "in use", "spare", "free", "GPUs busy", "node an hour"):
        table.add_column(heading, justify="right")
    busy = Counter[str]()
    for copy in answer.copies:
        busy[copy.option.node_type] += copy.option.gpus
    for node in kinds:
        used, spare = answer.nodes_in_use.get(node.name, 0), answer.spare_nodes(node)
        cells = (f"{node.count}", f"{used}", f"{spare}", f"{answer.free_nodes(node)}", f"{busy[node.name]}")
        price = usd(node.usd_per_node_hour)
        table.add_row(escape(node.name), f"{node.gpus} x {node.accelerator.name}", *cells, price)
    return table
