"""From a plan to the server its chosen candidate would start, one copy of it."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from planner.errors import BadInput
from planner.hardware.hardware import Accelerator, Hardware
from planner.hardware.resolving import resolve_hardware
from planner.models.model import Model
from planner.models.resolving import resolve_model
from planner.models.shape import Shape
from planner.plan import Candidate, Plan
from planner.planning.offloading import WEIGHT_LABELS
from planner.schemes import Scheme, scheme
from planner.serving.drafting import Draft, cache_width, draft_named
from planner.serving.server import Limits, Server
from planner.serving.speculation import Speculation, SpeculativeClock
from planner.speed.loads import CHUNK_TOKENS
from planner.speed.stepping import StepTimes, step_times
from planner.speed.work import Layout, Running, Stored, nominal_weight_bytes
from planner.support import kernel_for
from planner.units import GIB

WITHOUT_A_SCHEDULER = frozenset({"transformers"})
SIXTEEN_BIT = "bf16"


def server_of(plan: Plan, max_sequences: int | None = None) -> Server:
    """One copy of what the plan chose; `max_sequences` replaces the plan's own limit of requests at once.

    BadInput where its steps cannot be timed: no accelerator, no constants, or an engine that does not batch
    continuously.
    """
    memory = plan.chosen.memory
    limits = Limits(
        max_sequences=max_sequences or ceil(plan.request.workload.concurrency / plan.chosen.replicas),
        batched_tokens=CHUNK_TOKENS,
        kv_tokens=memory.kv_tokens,
        longest_tokens=min(memory.max_context_tokens, memory.kv_tokens),
    )
    clock = _target_clock(plan, resolve_model(plan.request.model), resolve_hardware(plan.request.hardware))
    constants = clock.constants
    return Server(clock, limits, constants.interference, constants.request_ms, constants.entry_steps)


def speculating(plan: Plan, server: Server, speculation: Speculation) -> Server:
    """The same copy with a draft: its clock, and a KV cache that shares the memory with the draft's weights and keys.

    The draft lies on all accelerators of the copy and keeps its cache in the target's format. BadInput for a draft
    that is not known, does not fit, or cannot be timed.
    """
    hardware, model = resolve_hardware(plan.request.hardware), resolve_model(plan.request.model)
    draft, target = draft_named(speculation.draft, model), server.clock
    assert isinstance(target, StepTimes)
    clock, held, kv_each = None, 0.0, 0.0
    if draft.shape is not None:
        width = cache_width(model.shape)
        kv_each = plan.chosen.memory.kv_bytes_per_token * (cache_width(draft.shape) / width if width else 0.0)
        clock = _draft_clock(plan, draft, draft.shape, kv_each, hardware)
        held = clock.run.stored.weight_bytes * (1 - draft.shared_parameters / draft.shape.parameters)
    kv_tokens = _kv_tokens_beside(server, plan.chosen.memory.kv_bytes_per_token, kv_each, held)
    longest = min(server.limits.longest_tokens, kv_tokens)
    if longest < 1:
        raise BadInput(
            f"{draft.name} leaves no room for a KV cache: its weights take {held / GIB:.3g} GiB on each accelerator",
            fix="name a smaller draft, use --speculate ngram, or plan for more memory",
        )
    limits = replace(
        server.limits, kv_tokens=kv_tokens, longest_tokens=longest, tokens_each=speculation.draft_tokens + 1
    )
    whole_steps = server.entry_steps * speculation.tokens_per_step  # the clock below gives a step's time per token
    speculative = SpeculativeClock(target, clock, speculation)
    return Server(speculative, limits, server.interference, server.request_ms, whole_steps)


def _target_clock(plan: Plan, model: Model, hardware: Hardware) -> StepTimes:
    chosen = plan.chosen
    if chosen.pipeline_parallel > 1:
        raise BadInput(
            f"a copy in {chosen.pipeline_parallel} stages cannot be simulated step by step",
            fix="plan for a copy on one machine; `quantplan layouts` tells what stages cost",
        )
    if chosen.pools or chosen.data_parallel > 1 or chosen.nodes > 1:
        raise BadInput(
            f"{_what_it_is(chosen)} cannot be simulated step by step: the simulator has one server and one cache",
            fix="plan for a copy on one machine; `quantplan layouts` and the plan itself tell the means of such a copy",
        )
    if chosen.memory.offload:
        raise BadInput(
            "a model with part of it in host memory cannot be simulated step by step",
            fix="plan for GPUs that hold it whole; `quantplan bench` measures a running server",
        )
    if hardware.accelerator is None or chosen.engine in WITHOUT_A_SCHEDULER:
        raise BadInput(
            f"{chosen.engine} on {hardware.label} cannot be simulated: only continuous batching on accelerators is",
            fix="plan for a GPU and vllm, sglang or tensorrt-llm; `quantplan bench` measures a running server",
        )
    entry, memory = scheme(chosen.format), chosen.memory
    held = sum(memory.gib(label) for label in WEIGHT_LABELS) * GIB
    stored = Stored.of(entry, held, memory.kv_bytes_per_token)
    return _clock(plan, model.shape, hardware.accelerator, entry, chosen.kernel, stored)


def _what_it_is(chosen: Candidate) -> str:
    if chosen.pools:
        return "a copy of prompt and decode servers"
    if chosen.data_parallel > 1:
        return f"a copy with {chosen.data_parallel} copies of the attention"
    return f"a copy split over {chosen.nodes} nodes"


def _draft_clock(plan: Plan, draft: Draft, shape: Shape, kv_each: float, hardware: Hardware) -> StepTimes:
    chosen = plan.chosen
    entry = scheme(chosen.format if draft.as_target else SIXTEEN_BIT)
    kernel = kernel_for(chosen.engine, entry.id, hardware)
    if kernel is None or hardware.accelerator is None:
        raise BadInput(f"{chosen.engine} runs no {entry.id} draft on {hardware.label}", fix="use --speculate ngram")
    bits = entry.bits_per_weight()
    held = nominal_weight_bytes(shape, Layout(tensor_parallel=chosen.tensor_parallel), bits, bits)
    return _clock(plan, shape, hardware.accelerator, entry, kernel.name, Stored(bits, held, kv_each))


def _clock(plan: Plan, shape: Shape, accelerator: Accelerator, entry: Scheme, kernel: str, stored: Stored) -> StepTimes:
    run = Running(plan.chosen.engine, kernel, Layout(tensor_parallel=plan.chosen.tensor_parallel), stored)
    clock = step_times(shape, accelerator, entry, run)
    if clock is None:
        raise BadInput(f"nothing is known of the speed of {run.engine} {kernel} on {accelerator.name}")
    return clock


def _kv_tokens_beside(server: Server, kv_target: float, kv_draft: float, held: float) -> int:
    """Tokens the KV cache has room for once the draft's weights and its own keys and values lie beside it."""
    pool = server.limits.kv_tokens * kv_target - held
    return max(int(pool / (kv_target + kv_draft)), 0) if kv_target else server.limits.kv_tokens
