"""What an account's room holds: the workload's own cache, and how many tokens, users and what context beside it."""

from __future__ import annotations

from collections.abc import Callable

from planner.memory.situation import Account, Situation, gib_term
from planner.plan import Memory
from planner.units import GIB

NEAR_TOKENS = 32


def both_directions(situation: Situation, account: Account) -> Memory:
    """Adds the workload's own KV cache, always part of the budget (B.pitfall.3), and asks what its room could hold."""
    context, users, layout = situation.context_tokens, situation.concurrency, account.layout
    pool, needed = pool_bytes(account), workload_bytes(situation, account)
    how = f"{users} x {context} tokens"
    free_gib = (pool - needed) / GIB
    return Memory(
        available_gib=account.available_gib,
        terms=(*account.terms, gib_term("KV cache", needed, how)),
        free_gib=free_gib,
        fits=free_gib >= 0,
        kv_bytes_per_token=situation.kv.bytes_per_token if situation.kv.is_proportional else needed / users / context,
        kv_tokens=layout.tokens(pool, context),
        max_context_tokens=longest_context(layout.sequence_bytes, pool, situation.shape.max_context_tokens),
        max_concurrency=max(pool, 0) / (needed / users) if needed else 0.0,
    )


def pool_bytes(account: Account) -> float:
    """What is left for the KV cache."""
    spent_gib = sum(term.predicted_gib for term in account.terms)
    return (account.available_gib - spent_gib) * GIB


def workload_bytes(situation: Situation, account: Account) -> float:
    """What the workload's own KV cache takes."""
    return account.layout.sequence_bytes(situation.context_tokens) * situation.concurrency


def longest_context(bytes_of: Callable[[int], float], pool_bytes: float, model_maximum: int) -> int:
    """The longest single sequence that fits, at most what the model was made for.

    Most caches grow evenly but for whole blocks, so the search begins near the even share of the pool.
    """
    if (widest := bytes_of(model_maximum)) <= pool_bytes:
        return model_maximum
    low, high = 0, model_maximum
    near = int(max(pool_bytes, 0.0) / widest * model_maximum) if widest else 0
    for probe in (near - NEAR_TOKENS, near + NEAR_TOKENS):
        if low < probe < high:
            low, high = (probe, high) if bytes_of(probe) <= pool_bytes else (low, probe)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if bytes_of(middle) <= pool_bytes else (low, middle)
    return low
