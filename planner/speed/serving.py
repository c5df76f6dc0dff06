"""From the time of a step to what users see, at a fixed number of requests in flight (closed loop).

TTFT: mean time from sending a request to its first token, with its wait behind other prompts. TPOT: mean time between
the tokens after the first; prompts that others bring in between stretch it. Throughput counts generated tokens only.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.speed.constants import ServingConstants


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


def closed_loop(phases: Phases, constants: ServingConstants, concurrency: float, output_tokens: float) -> Served:
    """What `concurrency` clients see, each sending its next request when the last one ends.

    A prompt waits behind a part of the others' prompts: `queue` of them always (clients that start together), and
    `crowding` of them more as prompts come to fill the server's time (`busy`).
    """
    others_ms = phases.prefill_share_ms * (concurrency - 1)
    busy = others_ms / (others_ms + phases.decode_ms * output_tokens)
    tpot_ms = phases.decode_ms + constants.interference * others_ms / output_tokens
    ttft_ms = (
        constants.request_ms
        + phases.prefill_alone_ms
        + (constants.queue + constants.crowding * busy) * others_ms
        + constants.entry_steps * phases.decode_ms
    )
    request_ms = ttft_ms + tpot_ms * (output_tokens - 1)
    return Served(ttft_ms, tpot_ms, 1000 * concurrency * output_tokens / request_ms)
