"""An evaluation as a person reads it in a terminal: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.figures import figure

MARKS = {True: ("held", "green"), False: ("failed", "red"), None: ("not decided", "yellow")}
SHOWN = 60


def print_evaluation(result: Mapping[str, Any], console: Console) -> None:
    """Go or no-go, every reason, the shift of token probabilities, and the worst queries."""
    go = result["verdict"]["go"]
    verdict = ("Go", "bold green") if go else ("No-go", "bold red")
    about = f": {result['format']} on {result['engine']} against its original, run {result['run_id']}"
    console.print(Text.assemble(verdict, about))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("check", "", "what was found", "source"):
        table.add_column(title, overflow="fold")
    for check in result["verdict"]["reasons"]:
        table.add_row(check["name"], Text(*MARKS[check["held"]]), check["says"], check["source"])
    console.print(table)
    _print_shift(result, console)
    if result["queries"]:
        _print_worst(result["queries"], console)
    console.print(Text.assemble(("Page: ", "bold"), result["page"]), soft_wrap=True)


def _print_shift(result: Mapping[str, Any], console: Console) -> None:
    if shift := result["shift"]:
        console.print(
            f"Token probabilities, {shift['tokens']:,} tokens: {figure(shift['nll_delta'])} nats a token worse "
            f"(+- {figure(shift['standard_error'])}); a token moves by {figure(shift['mean_absolute'])} on average, "
            f"{figure(shift['p99_absolute'])} at p99, {figure(shift['largest'])} at most"
        )
    if found := result["divergence"]:
        console.print(
            f"Divergence (KL) from the original: {figure(found['mean'])} nats a token "
            f"(+- {figure(found['standard_error'])}); "
            f"the same likeliest token {figure(found['same_top_percent'])} % of the time"
        )


def _print_worst(queries: Mapping[str, Any], console: Console) -> None:
    console.print(
        f"Queries: {queries['same_answer']} of {queries['queries']} answered alike; "
        f"agreement {queries['mean_agreement']:.0%}"
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("worst query", "agreement", "original said", "now says"):
        table.add_column(title, overflow="fold")
    for pair in queries["worst"]:
        table.add_row(pair["id"], f"{pair['agreement']:.0%}", _short(pair["before"]), _short(pair["after"]))
    console.print(table)


def _short(text: str) -> Text:
    line = " ".join(text.split())
    return Text(line if len(line) <= SHOWN else line[: SHOWN - 1] + "…")
