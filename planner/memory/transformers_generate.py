"""How plain transformers uses memory: weights, a cache that grows with the tokens, logits of one step, CUDA context."""

from __future__ import annotations

from planner.memory.activations import forward_bytes
from planner.memory.constants import engine_constants
from planner.memory.situation import Account, PlainLayout, Situation, gib_term, weight_terms
from planner.support import engines
from planner.units import GIB

FP32_BYTES = 4


def account(situation: Situation) -> Account:
    """The sum for one accelerator (or host), without the cache."""
    constants = engine_constants("transformers")
    prompt = situation.context_tokens * situation.concurrency
    forward = forward_bytes(situation.shape, prompt, situation.tensor_parallel, hidden_copies=4)
    logits = situation.concurrency * situation.shape.vocab_size * FP32_BYTES
    terms = [
        *weight_terms(situation.weights, situation.scheme),
        gib_term("activation peak", forward + logits, f"prefill of {prompt} tokens at once"),
        gib_term("non-torch", constants["cuda_context_gib"] * GIB, "CUDA context and workspaces"),
    ]
    available = situation.physical_gib * engines()["transformers"].usable_memory
    return Account(available, tuple(terms), PlainLayout(situation.kv))
