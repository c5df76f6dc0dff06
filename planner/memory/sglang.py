"""How SGLang accounts: weights and KV share `mem_fraction_static`; activations and CUDA graphs live in the rest."""

from __future__ import annotations

from planner.memory.situation import Account, Situation, weight_terms
from planner.support import engines


def account(situation: Situation) -> Account:
    """SGLang's static part of one GPU, without the KV pool."""
    utilisation = situation.utilisation or engines()["sglang"].usable_memory
    return Account(situation.physical_gib * utilisation, tuple(weight_terms(situation.weights, situation.scheme)))
