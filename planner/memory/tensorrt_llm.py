"""How TensorRT-LLM accounts: the KV pool takes a fraction of what weights and runtime leave free."""

from __future__ import annotations

from planner.memory.constants import engine_constants
from planner.memory.situation import Account, PlainLayout, Situation, gib_term, weight_terms
from planner.units import GIB


def account(situation: Situation) -> Account:
    """The sum for one GPU, without the KV pool; what the fraction leaves unused is the reserve."""
    constants = engine_constants("tensorrt-llm")
    fraction = situation.utilisation or constants["free_fraction"]
    runtime = constants["runtime_gib"] * GIB
    left = situation.physical_gib * GIB - situation.weights.total - runtime
    terms = [
        *weight_terms(situation.weights, situation.scheme),
        gib_term("non-torch", runtime, "CUDA context, engine workspaces and collective buffers"),
        gib_term("reserve", max(left, 0) * (1 - fraction), f"the pool takes {fraction:.0%} of what is left free"),
    ]
    return Account(situation.physical_gib, tuple(terms), PlainLayout(situation.kv, constants["block_tokens"]))
