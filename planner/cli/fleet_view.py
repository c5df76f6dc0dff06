"""A fleet plan as a person reads it: models, nodes, what it costs, what does not fit."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from planner.figures import UNKNOWN, figure, usd
from planner.fleet.answering import FleetPlan
from planner.fleet.option import Option
from planner.fleet.placing import Placed
from planner.fleet.shortages import told

MOST_KINDS_SHOWN = 8
MOST_LOSSES_SHOWN = 5
LEFT = ("model", "each copy")


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
    if said := _one_node_lost(answer, everything):
        console.print(f"  {said}")
    console.print()
    console.print(_nodes(answer, everything))
    for note in answer.notes:
        console.print(f"  ! {escape(note)}")
    for shortage in answer.short:
        console.print(f"\n[red]Does not fit:[/red] {escape(told(shortage))}")
        console.print(f"  To fix: {escape(shortage.fix)}")


def _counted(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def _models(answer: FleetPlan, everything: bool) -> Table:
    """A model's name and load stand once, before the first kind of its copies."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("model", "asked/s", "copies", "each copy", "TTFT, TPOT ms", "planned/s"):
        table.add_column(heading, justify="left" if heading in LEFT else "right", no_wrap=True)
    table.add_column("on", overflow="fold")
    for model in answer.fleet.models:
        copies, asked = answer.copies_of(model), figure(model.requests_per_s)
        if not copies:
            table.add_row(escape(model.label), asked, "0", *[UNKNOWN] * 3, "nowhere")
        said = (escape(model.label), asked)
        for option, count in Counter(copy.option for copy in copies).items():
            table.add_row(*said, *_row(option, count, [copy for copy in copies if copy.option == option], everything))
            said = ("", "")
    return table


def _one_node_lost(answer: FleetPlan, everything: bool) -> str:
    """What stays of the models that the loss of one node hurts most, until their copies have started again."""
    left = sorted((answer.without_worst_node(m), m.label) for m in answer.fleet.models if answer.copies_of(m))
    shown = left if everything else left[:MOST_LOSSES_SHOWN]
    said = ", ".join(f"{label} {part:.0%}" for part, label in shown)
    more = f"; {len(left) - len(shown)} others more" if len(left) > len(shown) else ""
    return f"One node lost leaves, until its copies have started elsewhere: {escape(said)}{more}." if said else ""


def _row(option: Option, count: int, here: list[Placed], everything: bool) -> tuple[str, ...]:
    stages = f", PP {option.pipeline_parallel}" if option.pipeline_parallel > 1 else ""
    held_to = "mean" if option.percentile is None else f"p{option.percentile}"
    return (
        f"{count}",
        f"{option.format}, TP {option.tensor_parallel}{stages}, batch {option.batch}",
        f"{figure(option.ttft_ms)}, {figure(option.tpot_ms)} {held_to}",
        figure(option.requests_per_s * count),
        escape(_where(here, everything)),
    )


def _where(copies: list[Placed], everything: bool) -> str:
    """`3 x h100`, or with everything the numbers of the nodes: `h100: 0-3, 7`."""
    numbers = sorted({number for copy in copies for number in copy.nodes})
    kind = copies[0].option.node_type
    return f"{kind}: {', '.join(_ranges(numbers))}" if everything else f"{len(numbers)} x {kind}"


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
    table.add_column("nodes", no_wrap=True)
    table.add_column("accelerators", no_wrap=True)
    for heading in ("in use", "spare", "free", "GPUs busy", "an hour"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("price")
    busy = Counter[str]()
    for copy in answer.copies:
        busy[copy.option.node_type] += copy.option.gpus
    for node in kinds:
        used, spare = answer.nodes_in_use.get(node.name, 0), answer.spare_nodes(node)
        cells = (f"{used}", f"{spare}", f"{answer.free_nodes(node)}", f"{busy[node.name]}", usd(node.usd_per_node_hour))
        price = node.hourly.label if node.hourly else UNKNOWN
        table.add_row(escape(node.name), f"{node.gpus} x {node.accelerator.name}", *cells, escape(price))
    return table
