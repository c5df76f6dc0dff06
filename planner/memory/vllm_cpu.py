"""How vLLM accounts for memory on a CPU host: nothing is claimed; the KV pool has exactly the bytes it is told to have.

A plan tells it: the workload's own blocks, and one more that vLLM keeps as its null block. Read from
vllm/v1/worker/cpu_worker.py and vllm/v1/core/kv_cache_utils.py at 0.32, and checked against what it reports.
"""

from __future__ import annotations

from planner.memory.constants import engine_constants, version_constants
from planner.memory.situation import Account, Situation, gib_term, weight_terms
from planner.memory.vllm import Limits, activation_term, laid_out
from planner.plan import Memory
from planner.support import engines
from planner.units import GIB

PROCESS, NULL_BLOCK, KV_CACHE = "process", "null block", "KV cache"


def account(situation: Situation) -> Account:
    """The sum for the host, without the KV pool."""
    constants, version = engine_constants("vllm_cpu"), version_constants("vllm", situation.engine_version)
    limits = Limits(situation.max_sequences or situation.concurrency, constants["batched_tokens"])
    layout = laid_out(situation.kv, block_tokens(situation), limits.batched_tokens, version)
    return Account(
        available_gib=situation.physical_gib * engines()["vllm"].usable_memory,
        terms=(
            *weight_terms(situation.weights, situation.scheme),
            activation_term(situation, limits, version),
            gib_term(PROCESS, constants["process_gib"] * GIB, "interpreters and libraries of its two processes"),
            gib_term(NULL_BLOCK, layout.block_bytes, "a block of the cache that vLLM keeps empty"),
        ),
        layout=layout,
    )


def block_tokens(situation: Situation) -> int:
    """Tokens of a block: fewer where a latent is cached."""
    is_latent = any(layers.latent_dim for layers in situation.shape.attention)
    tokens: int = engine_constants("vllm_cpu")["latent_block_tokens" if is_latent else "block_tokens"]
    return tokens


def pool_bytes(memory: Memory) -> int:
    """What `--kv-cache-memory-bytes` must say for this plan."""
    return round((memory.gib(KV_CACHE) + memory.gib(NULL_BLOCK)) * GIB)
