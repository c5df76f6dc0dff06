"""The longest request a server is started to admit: what was asked for, else as much as its cache surely holds."""

from __future__ import annotations

from planner.memory.constants import engine_constants
from planner.memory.room import longest_context, pool_bytes, workload_bytes
from planner.memory.situation import Account, Situation
from planner.memory.towers import longest_with_one_frame
from planner.memory.vllm_cpu import NULL_BLOCK
from planner.plan import Memory
from planner.support import engines
from planner.units import GIB
from rules.vocabulary import EngineId


def with_context_limit(
    memory: Memory, situation: Situation, account: Account, engine: EngineId, *, asked: bool
) -> Memory:
    """The same with the engine's context limit, and the tokens it reports for its pool when started so.

    Nobody `asked` for a length and the engine shares its pool between requests: the limit is the longest request that
    the pool holds, as the engines refuse to start with a longer one. Of a predicted pool the error such predictions
    have is left out; a pool whose bytes are given is exact. llama.cpp keeps the limit's room for every slot, so its
    limit is the load's own.
    """
    limit, pool = situation.context_tokens, pool_bytes(account)
    given = memory.gib(NULL_BLOCK) * GIB
    if given:
        pool = round(workload_bytes(situation, account) + given)
    if not asked and memory.fits and engines()[engine].claims_rest:
        sure = pool - (given or engine_constants(engine)["pool_error_gib"]["stated"] * GIB)
        limit = max(limit, _longest(situation, account, sure))
    reported = account.layout.tokens(pool, limit)
    return memory.model_copy(update={"context_limit_tokens": limit, "reported_kv_tokens": reported})


def _longest(situation: Situation, account: Account, pool: float) -> int:
    """The longest request in that room for which the engine profiles itself no wider than for a short one."""
    most = longest_with_one_frame(situation.shape)
    longest = longest_context(account.layout.sequence_bytes, pool, situation.shape.max_context_tokens)
    return longest if most is None else min(longest, most)
