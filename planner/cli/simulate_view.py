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
        f"{question.input_tokens} tokens in, {question.output_tokens} out, {question.lengths.says} (simulated)"
    )
    console.print(f"Carries at most {figure(content['capacity_requests_per_s'])} requests/s.")
    if content["hint"]:
        console.print(f"[yellow]{content['hint']}[/yellow]")
    _targets(question, content, console)
    if content["speculation"]:
        console.print(_speculation(question, content["speculation"]))
    if content["overload"]:
        console.print(f"[red]{content['overload']}[/red]")
    if content["asked"]:
        console.print(_asked(content["asked"]))
        console.print(_beside(content["asked"]))
    if content["speculation"]:
        console.print("\n[bold]A step with the draft and without[/bold] (ms)")
        console.print(_by_batch(content["speculation"]["by_batch"]))
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


def _speculation(question: Question, found: dict[str, Any]) -> str:
    assert question.speculation is not None
    at_load, stops, most = found["speed_up_at_load"], found["stops_paying_at_batch"], found["largest_batch"]
    end = f"stops paying at batch {stops}" if stops else f"pays up to batch {most}, the most the KV cache holds"
    return (
        f"Speculating with {question.speculation.draft}: {found['tokens_per_step']:.3g} tokens a step; "
        + (f"tokens come {at_load:.2f} times as fast at this load; " if at_load else "")
        + ("never pays." if stops == 1 else f"{end}.")
    )


def _by_batch(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("batch", "plain step", "drafting", "verifying", "speed-up a token"):
        table.add_column(column, justify="right")
    for row in rows:
        times = (figure(row[name]) for name in ("plain_ms", "draft_ms", "verify_ms"))
        table.add_row(f"{row['batch']}", *times, f"{row['speed_up']:.2f}")
    return table


def _ladder(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("requests/s", "TTFT p50", "p95", "p99", "TPOT p50", "p95", "p99", "tokens/s a copy", "KV full"):
        table.add_column(column, justify="right")
    for row in rows:
        waits = [figure(row[name][at]) for name in ("ttft_ms", "tpot_ms") for at in ("p50", "p95", "p99")]
        rate, tokens = figure(row["offered_requests_per_s"]), figure(row["output_tokens_per_s"])
        table.add_row(rate, *waits, tokens, f"{row['kv_share']:.0%}")
    return table
