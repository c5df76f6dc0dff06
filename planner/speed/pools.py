"""Prompts and tokens on servers of their own (disaggregated serving): where the slower pool sets the pace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from planner.speed.serving import Served, ServingConstants
from planner.speed.work import lesser

ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Pools:
    """Milliseconds of a decode step with so many requests on the decode servers, of one prompt, and between prompts."""

    decode_ms: Callable[[float], float]
    prompt_alone_ms: float
    prompt_share_ms: float


def pooled(pools: Pools, constants: ServingConstants, concurrency: float, output_tokens: float) -> Served:
    """What `concurrency` clients see when prompts never fall between the tokens of others.

    Requests decode as fast as the decode servers step, and arrive no faster than the prompt servers read. Those not
    decoding wait for their first token, so the number on board follows from the two rates (Little's law).
    """
    first_ms = constants.request_ms + constants.handover_ms + pools.prompt_alone_ms
    decoding = concurrency
    for _ in range(ROUNDS):
        answer_ms = pools.decode_ms(decoding) * output_tokens
        per_ms = lesser(concurrency / (first_ms + answer_ms), 1 / pools.prompt_share_ms)
        decoding = (decoding + per_ms * answer_ms) / 2
    tpot_ms = pools.decode_ms(decoding)
    cycle_ms = concurrency / lesser(concurrency / (first_ms + tpot_ms * output_tokens), 1 / pools.prompt_share_ms)
    waiting_ms = cycle_ms - first_ms - tpot_ms * output_tokens
    ttft_ms = first_ms + waiting_ms + constants.pool_queue * pools.prompt_share_ms * (concurrency - 1)
    return Served(ttft_ms, tpot_ms, 1000 * concurrency * output_tokens / (ttft_ms + tpot_ms * (output_tokens - 1)))
