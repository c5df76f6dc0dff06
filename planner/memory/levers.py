"""What would free memory, each lever with its gain: the settings of an engine that trade memory for something else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from planner.memory.constants import engine_constants
from planner.memory.kv_cache import kv_cache
from planner.memory.room import pool_bytes, workload_bytes
from planner.memory.situation import Situation
from planner.memory.sizing import account_of
from planner.memory.stages import stage_kv
from planner.plan import Lever
from planner.units import GIB


def levers(situation: Situation, engine: str) -> list[Lever]:
    """Settings of that engine that give back memory worth naming, largest gain first."""
    before = free_gib(situation, engine)
    found = [
        Lever(setting=setting, in_exchange=in_exchange, gain_gib=free_gib(changed, engine) - before)
        for setting, in_exchange, changed in alternatives(situation, engine)
    ]
    least = engine_constants("levers")["least_gain_gib"]
    return sorted((lever for lever in found if lever.gain_gib >= least), key=lambda lever: -lever.gain_gib)


def alternatives(situation: Situation, engine: str) -> Iterator[tuple[str, str, Situation]]:
    """(setting, what it costs, the situation with it) for every setting that is not already so."""
    if situation.kv_format == "16-bit" and engine in ("vllm", "sglang", "tensorrt-llm"):
        yield "--kv-cache-dtype fp8", "a little accuracy at long context", with_kv_format(situation, engine, "fp8")
    if situation.kv_format == "16-bit" and engine == "llama.cpp":
        changed = with_kv_format(situation, engine, "int8")
        yield "--cache-type-k q8_0 --cache-type-v q8_0", "a little accuracy at long context", changed
    if engine != "vllm":
        return
    sequences, tokens = engine_constants("levers")["max_num_seqs"], engine_constants("levers")["max_num_batched_tokens"]
    if situation.max_sequences is None or situation.max_sequences > sequences:
        changed = replace(situation, max_sequences=sequences)
        yield f"--max-num-seqs {sequences}", "more than that many requests wait", changed
    if situation.batched_tokens is None or situation.batched_tokens > tokens:
        changed = replace(situation, batched_tokens=tokens)
        yield f"--max-num-batched-tokens {tokens}", "long prompts take more steps", changed
    if not situation.eager:
        yield "--enforce-eager", "slower decoding: no CUDA graphs", replace(situation, eager=True)


def with_kv_format(situation: Situation, engine: str, kv_format: str) -> Situation:
    kv = kv_cache(situation.shape, kv_format, situation.tensor_parallel, engine)
    return replace(situation, kv=stage_kv(kv, situation.pipeline_parallel), kv_format=kv_format)


def free_gib(situation: Situation, engine: str) -> float:
    """What the workload leaves free on one accelerator."""
    account = account_of(engine, situation)
    return (pool_bytes(account) - workload_bytes(situation, account)) / GIB
