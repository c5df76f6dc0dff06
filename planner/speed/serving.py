"""From the time of a step to what users see, at a fixed number of requests in flight (closed loop).

TTFT: mean time from sending a request to its first token, with its wait behind other prompts. TPOT: mean time between
the tokens after the first; prompts that others bring in between stretch it. Throughput counts generated tokens only.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.speed.work import lesser, one_if


@dataclass(frozen=True, slots=True)
class ServingConstants:
    """How an engine mixes prefill with decode, and what it adds to a request.

    `interference`: part of the others' prompts that falls between one's own tokens. `queue`, `crowding`: part of them a
    prompt waits behind, always and as prompts fill the server's time. `request_ms`: host time of a request.
    `entry_steps`: decode steps before a new request joins. `saturation`: part of the steady-state rate that the best
    published runs reach. `speculation`: tokens one step yields where a draft is verified in it (1: none).
    `dealing_steps`: more entry steps where copies of the attention wait for each other. `overflow`: part of its turn
    that a request without room in the KV cache really waits (engines admit more than fits by the worst case).
    With servers of their own for prompts, `handover_ms`: from the prompt's server to the first token's; `pool_queue`:
    part of the others' prompts that one waits behind.
    """

    interference: float
    request_ms: float
    queue: float
    entry_steps: float
    crowding: float = 0.0
    saturation: float = 1.0
    speculation: float = 1.0
    dealing_steps: float = 0.0
    overflow: float = 1.0
    handover_ms: float = 0.0
    pool_queue: float = 0.0


@dataclass(frozen=True, slots=True)
class Phases:
    """Milliseconds of a decode step with everyone on board, of one prompt alone, and of one in a full chunk."""

    decode_ms: float
    prefill_alone_ms: float
    prefill_share_ms: float


@dataclass(frozen=True, slots=True)
class Served:
    """Mean TTFT and TPOT of a request, and generated tokens per second of the whole server."""

    ttft_ms: float
    tpot_ms: float
    output_tokens_per_s: float


def closed_loop(
    phases: Phases,
    constants: ServingConstants,
    concurrency: float,
    output_tokens: float,
    waiting: float = 0.0,
    copies: float = 1.0,
) -> Served:
    """What `concurrency` clients see, each sending its next request when the last one ends.

    A prompt waits behind a part of the others' prompts: `queue` of them always (clients that start together), and
    `crowding` of them more as prompts come to fill the server's time (`busy`). `waiting` more clients find no room in
    the KV cache and wait until one of the `concurrency` on board has gone. `copies` of the attention share the load.
    """
    others_ms = phases.prefill_share_ms * (concurrency - 1)
    decode_ms = phases.decode_ms / constants.speculation
    busy = others_ms / (others_ms + decode_ms * output_tokens)
    before = lesser(constants.queue + constants.crowding * busy, 1.0)
    tpot_ms = decode_ms + constants.interference * (1 - before) * others_ms / output_tokens
    first_ms = (
        constants.request_ms
        + phases.prefill_alone_ms
        + constants.interference * before * others_ms
        + (constants.entry_steps + constants.dealing_steps * one_if(copies > 1)) * phases.decode_ms
    )
    request_ms = first_ms + tpot_ms * (output_tokens - 1)
    ttft_ms = first_ms + constants.overflow * request_ms * waiting / concurrency
    return Served(ttft_ms, tpot_ms, 1000 * concurrency * output_tokens / request_ms)


def saturated_tokens_per_s(
    phases: Phases, constants: ServingConstants, concurrency: float, output_tokens: float
) -> float:
    """Generated tokens per second when there is always a next request: prompts and decode steps share the time."""
    tokens_ms = phases.decode_ms / constants.speculation * output_tokens / concurrency
    return constants.saturation * 1000 * output_tokens / (phases.prefill_share_ms + tokens_ms)


def on_board(concurrency: float, room: float) -> float:
    """Requests that decode together: those there are, or those the KV cache has room for; at least one."""
    return at_least_one(lesser(concurrency, room))


def at_least_one(count: float) -> float:
    """The count, or 1 where it is less; elementwise on arrays."""
    return count + (1 - count) * (count < 1)
