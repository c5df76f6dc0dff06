"""How vLLM accounts for a GPU: a share of its memory is claimed, and what start-up leaves of it becomes KV blocks.

KV pool = utilisation x physical memory - weights - activation peak - non-torch (- CUDA graphs from 0.21 on).
The activation peak is the larger of two moments of the profiling run (vllm/v1/worker/gpu_model_runner.py):
the widest point of a forward pass over the batched tokens, and the sampler over the logits of all sequences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.memory.activations import ACTIVATION_BYTES, forward_bytes
from planner.memory.constants import engine_constants, version_constants
from planner.memory.situation import Account, Situation, gib_term, weight_terms
from planner.models.shape import Shape
from planner.plan import Term
from planner.support import engines
from planner.units import GIB


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server is started with: sequences at once, tokens in one step."""

    sequences: int
    batched_tokens: int


def account(situation: Situation) -> Account:
    """vLLM's own sum for one GPU, without the KV pool."""
    constants = version_constants("vllm", situation.engine_version)
    utilisation = situation.utilisation or engines()["vllm"].usable_memory
    limits = server_limits(situation, constants)
    terms = [*weight_terms(situation.weights, situation.scheme), activation_term(situation, limits, constants)]
    if constants["graphs_in_budget"] and not situation.eager:
        terms.append(graphs_term())
    terms.append(non_torch_term(situation.tensor_parallel, constants))
    return Account(
        available_gib=situation.physical_gib * utilisation,
        terms=tuple(terms),
        block_tokens=engine_constants("vllm")["block_tokens"],
    )


def server_limits(situation: Situation, constants: Mapping[str, Any]) -> Limits:
    """The limits given, else the server's defaults for this GPU. V0 profiles a whole context in one step."""
    vllm = engine_constants("vllm")
    name = situation.accelerator.name if situation.accelerator else ""
    small = situation.physical_gib < vllm["large_gpu_gib"] or any(n in name for n in vllm["small_though_large"])
    large = 0 if small else 1
    sequences = situation.max_sequences or vllm["defaults"]["sequences"][large]
    tokens = situation.batched_tokens or vllm["defaults"]["batched_tokens"][large]
    if constants["profile"] == "max_model_len" and not situation.batched_tokens:
        tokens = max(situation.context_tokens, 2048)
    return Limits(sequences, max(tokens, sequences))


def activation_term(situation: Situation, limits: Limits, constants: Mapping[str, Any]) -> Term:
    copies = constants["hidden_copies"]
    forward = forward_bytes(situation.shape, limits.batched_tokens, situation.tensor_parallel, copies)
    sampler = sampler_bytes(situation.shape, limits, constants["sampler_bytes_per_logit"])
    how = (
        f"sampler: {limits.sequences} sequences x {situation.shape.vocab_size} logits"
        if sampler > forward
        else f"forward pass of {limits.batched_tokens} tokens"
    )
    return gib_term("activation peak", max(forward, sampler), how)


def sampler_bytes(shape: Shape, limits: Limits, bytes_per_logit: float) -> float:
    """The logits of every sequence with the sorted copies top-k and top-p sampling make, and the hidden states."""
    logits = limits.sequences * shape.vocab_size * bytes_per_logit
    hidden = limits.batched_tokens * shape.hidden_size * ACTIVATION_BYTES
    return logits + hidden


def graphs_term() -> Term:
    return gib_term("CUDA graphs", engine_constants("vllm")["cuda_graphs"]["gib"] * GIB, "captured decode graphs")


def non_torch_term(tensor_parallel: int, constants: Mapping[str, Any]) -> Term:
    gib = constants["non_torch_gib"]["many" if tensor_parallel > 1 else "one"]
    return gib_term("non-torch", gib * GIB, "CUDA context and collective buffers")
