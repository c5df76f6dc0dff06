"""A load on a model on accelerators, and what its users see: step times joined to serving, on floats or arrays."""

from __future__ import annotations

from dataclasses import dataclass

from planner.speed.anatomy import Anatomy
from planner.speed.pipelines import hops_ms
from planner.speed.pools import Pools, pooled
from planner.speed.serving import (
    Phases,
    Served,
    ServingConstants,
    at_least_one,
    closed_loop,
    on_board,
    saturated_tokens_per_s,
)
from planner.speed.steps import Peaks, Rates, hostless, prompt_step_ms, step_ms
from planner.speed.work import Layout, Stored, decode_work, prefill_work

CHUNK_TOKENS = 8192
NO_LIMIT = 1e9


@dataclass(frozen=True, slots=True)
class Load:
    """`concurrency` requests of `input_tokens` and `output_tokens` on one server.

    `room`: requests the KV cache holds at once. Floats, or arrays of one length in every field.
    """

    model: Anatomy
    peaks: Peaks
    stored: Stored
    layout: Layout
    input_tokens: float
    output_tokens: float
    concurrency: float
    room: float = NO_LIMIT


@dataclass(frozen=True, slots=True)
class PooledLoad:
    """The same with prompts read by servers of their own: `load` tells the decode servers, `prompts` one prompt server.

    The concurrency of `load` is that of all clients.
    """

    load: Load
    prompts: Load
    prompt_servers: float
    decode_servers: float


def decode_step_ms(load: Load, rates: Rates, sequences: float) -> float:
    """One decode step of `sequences` requests on this load's server, at its mean context.

    The stages of a pipeline work on as many parts of them at once, and a token passes all stages.
    """
    context, stages = load.input_tokens + load.output_tokens / 2, load.layout.pipeline_parallel
    together = at_least_one(sequences / stages)
    work = decode_work(load.model, load.stored, load.layout, together, context)
    return step_ms(work, load.peaks, rates) + hops_ms(load.layout, load.peaks, work)


def prompt_alone_ms(load: Load, rates: Rates) -> float:
    """One prompt on each copy of the attention, nothing else."""
    tokens = load.input_tokens * load.layout.attention_data_parallel
    work = prefill_work(load.model, load.stored, load.layout, load.input_tokens, tokens)
    return prompt_step_ms(work, load.peaks, rates) + hops_ms(load.layout, load.peaks, work)


def prompt_share_ms(load: Load, rates: Rates) -> float:
    """One prompt's share of a step full of prompts; the stages of a pipeline read as many at once."""
    chunk = (load.input_tokens + CHUNK_TOKENS + abs(load.input_tokens - CHUNK_TOKENS)) / 2
    tokens = chunk * load.layout.attention_data_parallel
    work = prefill_work(load.model, load.stored, load.layout, load.input_tokens, tokens)
    alone_ms = prompt_step_ms(work, load.peaks, hostless(rates)) * load.input_tokens / tokens
    return alone_ms / load.layout.pipeline_parallel


def phases_of(load: Load, prompt: Rates, decode: Rates) -> Phases:
    """One decode step at the mean context, one prompt alone, and its share of a chunk full of prompts."""
    return Phases(
        decode_ms=decode_step_ms(load, decode, on_board(load.concurrency, load.room)),
        prefill_alone_ms=prompt_alone_ms(load, prompt),
        prefill_share_ms=prompt_share_ms(load, prompt),
    )


def served(load: Load, prompt: Rates, decode: Rates, constants: ServingConstants) -> Served:
    """What the users of a server that mixes prompts with decode steps see."""
    return seen_by_users(load, phases_of(load, prompt, decode), constants)


def seen_by_users(load: Load, phases: Phases, constants: ServingConstants) -> Served:
    """The same where the phases of this load are known."""
    running = on_board(load.concurrency, load.room)
    waiting, copies = load.concurrency - running, load.layout.attention_data_parallel
    return closed_loop(phases, constants, running, load.output_tokens, waiting, copies)


def highest_tokens_per_s(load: Load, prompt: Rates, decode: Rates, constants: ServingConstants) -> float:
    """Generated tokens per second of a server kept full."""
    running = on_board(load.concurrency, load.room)
    return saturated_tokens_per_s(phases_of(load, prompt, decode), constants, running, load.output_tokens)


def pooled_served(pools: PooledLoad, prompt: Rates, decode: Rates, constants: ServingConstants) -> Served:
    """What the users of prompt servers and decode servers see."""
    load = pools.load

    def decode_ms(sequences: float) -> float:
        each = sequences / pools.decode_servers
        return decode_step_ms(load, decode, at_least_one(each)) / constants.speculation

    return pooled(
        Pools(
            decode_ms=decode_ms,
            prompt_alone_ms=prompt_alone_ms(pools.prompts, prompt),
            prompt_share_ms=prompt_share_ms(pools.prompts, prompt) / pools.prompt_servers,
        ),
        constants,
        load.concurrency,
        load.output_tokens,
    )
