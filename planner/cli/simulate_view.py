"""A simulated load as a person reads it: the load asked for, the largest within targets, waits against load."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from planner.figures import figure
from planner.plan import Plan
from planner.serving.answering import Question

ROWS = (("time to first token", "ttft_ms"), ("time per output token", "tpot_ms"), ("gap between tokens", "itl_ms"),
        ("whole request", "end_to_end_ms"))  # fmt: skip


def print_answer(plan: Plan, question: Question, content: dict[str, Any], console: Console) -> None:
    """Print every figure of the answer; milliseconds throughout."""
    chosen = plan.chosen
    copies = f", {chosen.replicas} replicas" if chosen.replicas > 1 else ""
    console.print(
        f"[bold]{plan.model.name}[/bold] in {chosen.format} on {chosen.engine}, {plan.hardware.label}{copies}: "
        f"{question.input_tokens} tokens in, {question.output_tokens} out (simulated)"
    )
    console.print(f"Carries at most {figure(content['capacity_requests_per_s'])} requests/s.")
    _targets(question, content, console)
    if content["overload"]:
        console.print(f"[red]{content['overload']}[/red]")
    if content["asked"]:
        console.print(_asked(content["asked"]))
        console.print(_beside(content["asked"]))
    console.print("\n[bold]Waits against load[/bold] (ms)")
    console.print(_ladder(content["ladder"]))


def _targets(question: Question, content: dict[str, Any], console: Console) -> None:
    targets, largest = question.targets, content["largest_requests_per_s_within_targets"]
    if targets.ttft_ms is None and targets.tpot_ms is None:
        return
    if largest is None:
        console.print("[red]The targets are missed by a single request alone on the server.[/red]")
        return
    needed = content["replicas_needed"]
    copies = f" Replicas the rate asked for takes: {needed}." if needed else ""
    console.print(f"Meets the targets up to {figure(largest)} requests/s.{copies}")


def _asked(outcome: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("ms")
    for column in ("mean", "p50", "p95", "p99"):
        table.add_column(column, justify="right")
    for label, name in ROWS:
        table.add_row(label, *(figure(outcome[name][column]) for column in ("mean", "p50", "p95", "p99")))
    return table


def _beside(outcome: dict[str, Any]) -> str:
    return (
        f"One copy: {figure(outcome['output_tokens_per_s'])} tokens/s, {figure(outcome['tokens_per_s_a_user'])} "
        f"a user; {figure(outcome['running'])} requests on board, KV cache {outcome['kv_share']:.0%} full, "
        f"{outcome['preemptions']} preemptions"
    )


def _ladder(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("requests/s", "TTFT mean", "p95", "p99", "TPOT mean", "p95", "p99", "tokens/s a copy", "KV full"):
        table.add_column(column, justify="right")
    for row in rows:
        waits = [figure(row[name][at]) for name in ("ttft_ms", "tpot_ms") for at in ("mean", "p95", "p99")]
        rate, tokens = figure(row["offered_requests_per_s"]), figure(row["output_tokens_per_s"])
        table.add_row(rate, *waits, tokens, f"{row['kv_share']:.0%}")
    return table
