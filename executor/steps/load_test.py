"""Step `load-test`: the planned load on the launched server, measured where a client stands."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from executor.artifacts import write_text
from executor.engines import engine_of
from executor.engines.footprint import CpuClock, read_cpu_clock, resident_bytes
from executor.engines.metrics import scrape, summary
from executor.evaluate.text import prompt_text
from executor.load.client import open_client
from executor.load.closed_loop import LoopResult
from executor.load.statistics import as_rows, summarise
from executor.load.testing import Load, Target, counted, warmed_up
from executor.step import Result, StepContext
from executor.steps.earlier import parameter, result_of_kind
from planner.errors import ExecutionFailed
from planner.units import GIB

MUST_HAVE = ("concurrency", "input_tokens", "output_tokens", "requests", "warmup_requests")
MAY_HAVE = ("rate_per_s", "variation", "longest_tokens", "seed")


def load_test(context: StepContext) -> Result:
    """The planned loop (closed; open where a rate is planned) over streamed /v1/completions.

    TTFT: from sending a request to its first streamed token. TPOT: (last - first token) / (output tokens - 1), so
    without the first. output_tokens_per_s: output tokens of all counted requests / wall time, for the whole server.
    Prompts are token ids, so exactly as long as planned; the end of text is ignored, so answers are too; no prompt is
    served from a cache. `engine_metrics`: the server's own account of the same time, where it publishes one.

    ExecutionFailed when every request failed. Single exchanges are written to `load-test.json`.
    """
    served = result_of_kind(context, "launch") or {}
    load = planned_load(context)
    loop, cpu = asyncio.run(_run(context, served, load))
    measured = summarise(loop, load.output_tokens)
    resident = resident_bytes(served["pid"])
    if resident is None:
        raise _server_ended(context, measured)
    if measured["errors"] == measured["requests"]:
        raise _all_failed(measured)
    rows = json.dumps({"exchanges": as_rows(loop.exchanges)}, indent=1) + "\n"
    written = write_text(context.workspace / "load-test.json", rows)
    metrics_path = engine_of(context.plan).metrics_path
    return {
        **measured,
        "resident_gib": resident / GIB,
        "cpu": cpu,
        "engine_metrics": summary(scrape(served["url"], metrics_path)) if metrics_path else None,
        "artifacts": [written.record()],
    }


def planned_load(context: StepContext) -> Load:
    """The stage's parameters as a load. ExecutionFailed when the plan leaves one out."""
    wanted = {name: int(parameter(context, name)) for name in MUST_HAVE}
    given = {name: value for name in MAY_HAVE if (value := context.stage.parameters.get(name)) is not None}
    lengths_file = context.stage.parameters.get("lengths_file")
    return Load(**wanted, **given, lengths_file=Path(lengths_file).expanduser() if lengths_file else None)


async def _run(context: StepContext, served: Result, load: Load) -> tuple[LoopResult, dict[str, float]]:
    """The counted requests, after the warm-up, and who used the processor meanwhile."""
    text = prompt_text(context.stage.parameters.get("text")).read_text(encoding="utf-8")
    async with open_client(served["url"], load.concurrency if load.rate_per_s is None else None) as client:
        name = served.get("model_name", context.plan.model.name)
        target = Target(client, engine_of(context.plan), name, text)
        requests = await target.requests(load.lengths())
        context.report("warming up", None)
        requests = list(await warmed_up(target, load, requests))

        def on_done(done: int, of: int) -> None:
            context.report(f"{done} of {of} requests answered", done / of)

        before = read_cpu_clock(served["pid"])
        loop = await counted(target, load, requests, on_done)
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
