"""From a plan to the server its chosen candidate would start, one copy of it."""

from __future__ import annotations

from math import ceil

from planner.errors import BadInput
from planner.hardware.resolving import resolve_hardware
from planner.models.resolving import resolve_model
from planner.plan import Plan
from planner.planning.candidates import WEIGHT_LABELS
from planner.schemes import scheme
from planner.serving.server import Limits, Server
from planner.speed.loads import CHUNK_TOKENS
from planner.speed.stepping import step_times
from planner.speed.work import Layout, Running, Stored
from planner.units import GIB

WITHOUT_A_SCHEDULER = frozenset({"transformers"})


def server_of(plan: Plan, max_sequences: int | None = None) -> Server:
    """One copy of what the plan chose; `max_sequences` replaces the plan's own limit of requests at once.

    BadInput where its steps cannot be timed: no accelerator, no constants, or an engine that does not batch
    continuously.
    """
    chosen, hardware = plan.chosen, resolve_hardware(plan.request.hardware)
    if hardware.accelerator is None or chosen.engine in WITHOUT_A_SCHEDULER:
        raise BadInput(
            f"{chosen.engine} on {hardware.label} cannot be simulated: only continuous batching on accelerators is",
            fix="plan for a GPU and vllm, sglang or tensorrt-llm; `quantplan bench` measures a running server",
        )
    entry, memory = scheme(chosen.format), chosen.memory
    held = sum(memory.gib(label) for label in WEIGHT_LABELS) * GIB
    stored = Stored(entry.bits_per_weight(), held, memory.kv_bytes_per_token)
    run = Running(chosen.engine, chosen.kernel, Layout(tensor_parallel=chosen.tensor_parallel), stored)
    clock = step_times(resolve_model(plan.request.model).shape, hardware.accelerator, entry, run)
    if clock is None:
        raise BadInput(f"nothing is known of the speed of {chosen.engine} {chosen.kernel} on {hardware.label}")
    limits = Limits(
        max_sequences=max_sequences or ceil(plan.request.workload.concurrency / chosen.replicas),
        batched_tokens=CHUNK_TOKENS,
        kv_tokens=memory.kv_tokens,
        longest_tokens=min(memory.max_context_tokens, memory.kv_tokens),
    )
    return Server(clock, limits, clock.constants.interference, clock.constants.request_ms)
