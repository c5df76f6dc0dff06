"""A load test, or a ramp of them, as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.figures import figure

SPREAD = ("mean", "p50", "p95", "p99")
ROWS = {"ttft_ms": "time to first token, ms", "tpot_ms": "time per output token, ms", "latency_ms": "whole request, ms"}


def print_bench(result: Mapping[str, Any], console: Console) -> None:
    """What was asked, and the figures of the test or of every load of the ramp."""
    console.print(Text.assemble((str(result["model"]), "bold"), f" at {result['url']}"))
    if "ramp" in result:
        _print_ramp(result, console)
    else:
        _print_test(result, console)


def _print_test(result: Mapping[str, Any], console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for name in SPREAD:
        table.add_column(name, justify="right")
    for name, title in ROWS.items():
        table.add_row(title, *(figure((result[name] or {}).get(column)) for column in SPREAD))
    console.print(table)
    console.print(
        f"{figure(result['output_tokens_per_s'])} output tokens/s, {figure(result['requests_per_s'])} requests/s; "
        f"{result['requests']} requests of {figure(result['mean_input_tokens'])} tokens in, "
        f"{figure(result['mean_output_tokens'])} out, in {figure(result['wall_s'])} s"
    )
    failed = ", ".join(f"{count} x {kind}" for kind, count in result["errors_by_kind"].items())
    console.print(f"errors: {failed}" if failed else "no errors", style="red" if failed else None)


def _print_ramp(result: Mapping[str, Any], console: Console) -> None:
    unit, at = result["ramp"], result["judged_at"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in (unit.replace("_", " "), f"TTFT ms, {at}", f"TPOT ms, {at}", "tokens/s"):
        table.add_column(title, justify="right")
    table.add_column("")
    for point in sorted(result["points"], key=lambda point: float(point[unit])):
        figures = (figure(point[name]) for name in (unit, "ttft_ms", "tpot_ms", "output_tokens_per_s"))
        table.add_row(*figures, "; ".join(point["missed"]) or "meets the level")
    console.print(table)
    if result["largest"] is None:
        console.print("Not even the smallest load met the service level.")
        return
    more = "" if result["is_bounded"] else "; it may bear more, the ramp ended there"
    console.print(
        f"Largest load that meets it: {figure(result['largest'])} {unit.replace('_', ' ')}{more}", style="bold"
    )
