"""How llama.cpp accounts: weights as in the file, the whole KV cache at start, one compute buffer."""

from __future__ import annotations

from planner.memory.activations import mlp_width
from planner.memory.constants import engine_constants
from planner.memory.situation import Account, Situation, gib_term, weight_terms
from planner.plan import Term
from planner.support import engines
from planner.units import GIB

LOGIT_BYTES = 4
ACTIVATION_BYTES = 4


def account(situation: Situation) -> Account:
    """llama.cpp's own sum on a CPU host or a GPU, without the KV cache."""
    constants = engine_constants("llama.cpp")
    on_gpu = situation.accelerator is not None
    terms = [*weight_terms(situation.weights, situation.scheme), compute_term(situation)]
    if on_gpu:
        terms.append(gib_term("non-torch", constants["cuda_context_gib"] * GIB, "GPU context"))
    share = 1 - engines()["llama.cpp"].usable_memory
    terms.append(gib_term("reserve", situation.physical_gib * share * GIB, "left to the operating system"))
    return Account(situation.physical_gib, tuple(terms), block_tokens=constants["context_padding_tokens"])


def compute_term(situation: Situation) -> Term:
    """The scratch buffer of one micro-batch: its logits, or its widest layer."""
    shape = situation.shape
    tokens = min(engine_constants("llama.cpp")["micro_batch_tokens"], situation.context_tokens)
    logits = tokens * shape.vocab_size * LOGIT_BYTES
    layer = tokens * (mlp_width(shape) + 4 * shape.hidden_size) * ACTIVATION_BYTES
    return gib_term("compute buffer", max(logits, layer), f"micro-batch of {tokens} tokens")
