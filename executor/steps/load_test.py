"""Step `load-test`: the planned load on the launched server, measured where a client stands."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from typing import Any

from executor.artifacts import write_text
from executor.engines import ENGINES
from executor.engines.engine import Engine
from executor.engines.footprint import CpuClock, read_cpu_clock, resident_bytes
from executor.evaluate.text import prompt_text
from executor.load.client import open_client
from executor.load.closed_loop import LoopResult, closed_loop
from executor.load.exchange import Exchange, complete
from executor.load.prompts import cut_prompts, tokenize
from executor.load.statistics import as_rows, summarise
from executor.step import Result, StepContext
from executor.steps.earlier import parameter, result_of_kind
from planner.errors import ExecutionFailed
from planner.units import GIB


@dataclass(frozen=True, slots=True)
class Load:
    """How many requests of what size, how many at once, after how many that are not counted."""

    concurrency: int
    input_tokens: int
    output_tokens: int
    requests: int
    warmup_requests: int


def load_test(context: StepContext) -> Result:
    """Closed loop at the planned concurrency over streamed /v1/completions.

    TTFT: from sending a request to its first streamed token. TPOT: (last - first token) / (output tokens - 1), so
    without the first. output_tokens_per_s: output tokens of all counted requests / wall time, for the whole server.
    Prompts are token ids, so exactly as long as planned; the end of text is ignored, so answers are too; no prompt is
    served from a cache.

    ExecutionFailed when every request failed. Single exchanges are written to `load-test.json`.
    """
    served = result_of_kind(context, "launch") or {}
    names = ("concurrency", "input_tokens", "output_tokens", "requests", "warmup_requests")
    load = Load(**{name: int(parameter(context, name)) for name in names})
    loop, cpu = asyncio.run(_run(context, served, load))
    summary = summarise(loop, load.output_tokens)
    resident = resident_bytes(served["pid"])
    if resident is None:
        raise _server_ended(context, summary)
    if summary["errors"] == summary["requests"]:
        raise _all_failed(summary)
    rows = json.dumps({"exchanges": as_rows(loop.exchanges)}, indent=1) + "\n"
    written = write_text(context.workspace / "load-test.json", rows)
    return {
        **summary,
        "resident_gib": resident / GIB,
        "cpu": cpu,
        "artifacts": [written.record()],
    }


async def _run(context: StepContext, served: Result, load: Load) -> tuple[LoopResult, dict[str, float]]:
    """The counted requests, after the warm-up, and who used the processor meanwhile."""
    engine: Engine = ENGINES[context.plan.chosen.engine]
    async with open_client(served["url"], load.concurrency) as client:
        text = prompt_text(context.stage.parameters.get("text")).read_text(encoding="utf-8")
        ids = await tokenize(client, engine, text)
        prompts = cut_prompts(ids, load.warmup_requests + load.requests, load.input_tokens)
        options = engine.completion_options()

        async def send(prompt: Any) -> Exchange:
            return await complete(client, context.plan.model.name, prompt, load.output_tokens, options)

        context.report("warming up", None)
        await closed_loop(send, prompts[: load.warmup_requests], load.concurrency)

        def on_done(done: int) -> None:
            context.report(f"{done} of {load.requests} requests answered", done / load.requests)

        before = read_cpu_clock(served["pid"])
        loop = await closed_loop(send, prompts[load.warmup_requests :], load.concurrency, on_done)
        return loop, cores_used(before, read_cpu_clock(served["pid"]), loop.wall_s)


def cores_used(before: CpuClock, after: CpuClock, wall_s: float) -> dict[str, float]:
    """Mean processor cores busy during the test: with the server, with the load generator, with anything else."""
    machine, server, client = (
        (getattr(after, clock) - getattr(before, clock)) / wall_s for clock in ("machine_s", "tree_s", "own_s")
    )
    return {
        "server_cores": server,
        "client_cores": client,
        "other_cores": max(0.0, machine - server - client),
        "machine_cores": float(os.cpu_count() or 1),
    }


def _server_ended(context: StepContext, summary: dict[str, Any]) -> ExecutionFailed:
    answered = summary["requests"] - summary["errors"]
    log_path = (result_of_kind(context, "launch") or {}).get("log_path", "the log of the launch step")
    return ExecutionFailed(
        f"the server ended during the load test, after {answered} of {summary['requests']} requests",
        fix=f"read why in {log_path}; too little memory is the usual cause",
    )


def _all_failed(summary: dict[str, Any]) -> ExecutionFailed:
    reasons = "; ".join(f"{reason} ({count}x)" for reason, count in summary["error_reasons"].items())
    return ExecutionFailed(
        f"all {summary['requests']} requests of the load test failed: {reasons}",
        fix="read the log of the launch step; the planned context may be too small for the planned tokens",
    )
