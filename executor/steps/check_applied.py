"""Step `check-applied`: whether the server holds and computes what was planned; that it answers is no evidence."""

from __future__ import annotations

import asyncio
from pathlib import Path

from executor.applied.fingerprint import Fingerprint, fingerprint
from executor.applied.in_engine import Evidence, applied_in_engine, require_applied
from executor.applied.inspecting import layers_in, tensor_types_in
from executor.engines import engine_of
from executor.evaluate.logprobs import prompt_logprobs
from executor.load.client import open_client
from executor.step import Result, StepContext
from executor.steps.earlier import result_of_kind
from planner.units import GIB

SIXTEEN_BIT = "16-bit"


def check_applied(context: StepContext) -> Result:
    """{verdict, says, layers, fingerprint}: from the layers the engine holds, the weights its log reports, and its
    log-probabilities against those of the original and of the checkpoint, where each can be had.

    ExecutionFailed when the engine serves unquantized weights or wrong values.
    """
    served = result_of_kind(context, "launch") or {}
    log_path = Path(served["log_path"])
    log = log_path.read_text(encoding="utf-8", errors="replace") if log_path.is_file() else ""
    context.report("comparing what the server holds and says with the checkpoint", None)
    memory = served.get("memory") or {}
    weights_gib = (memory.get("weights_gib") or 0.0) + (memory.get("host_weights_gib") or 0.0)
    evidence = Evidence(
        layers=layers_in(log),
        tensor_types=tensor_types_in(log),
        weights_bytes=round(weights_gib * GIB) if weights_gib else None,
        fingerprint=asyncio.run(_fingerprint(context, served)),
        cache_dtype=(served.get("metrics") or {}).get("kv_cache_dtype"),
    )
    checked = result_of_kind(context, "check-artifact") or {}
    format, kv_cache = context.plan.chosen.format, context.plan.chosen.kv_cache
    applied = applied_in_engine(format, evidence, checked.get("tensor_bytes"), checked.get("types"), kv_cache)
    served_as = format if kv_cache == SIXTEEN_BIT else f"{format} with KV cache {kv_cache}"
    require_applied(served_as, applied, str(served.get("url", "")))
    found = evidence.fingerprint
    distances = {name: getattr(found, name) for name in found.__slots__} if found else None
    return {**applied.as_plain(), "fingerprint": distances}


async def _fingerprint(context: StepContext, served: Result) -> Fingerprint | None:
    """Of the first window that was scored, as far as the server's context reaches.

    Where nothing was quantized but the KV cache, the original is what the server must agree with.
    """
    scored = [context.results.get(stage.name, {}) for stage in context.plan.stages if stage.kind == "evaluate"]
    known = [result for result in scored if result.get("logprobs")]
    if not known or not engine_of(context.plan).tells_prompt_logprobs:
        return None
    longest = context.plan.request.workload.served_context_tokens - 1
    ids = known[0]["token_ids"][0][:longest]
    original, quantized = (result["logprobs"][0][: len(ids) - 1] for result in (known[0], known[-1]))
    async with open_client(served["url"], 1) as client:
        told = await prompt_logprobs(client, context.plan.model.name, ids)
    return fingerprint(told, quantized, original) if told else None
