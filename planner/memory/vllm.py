"""How vLLM accounts for a GPU: a share of its memory is claimed, and what start-up leaves of it becomes KV blocks.

KV pool = utilisation x physical memory - weights - activation peak - non-torch (- CUDA graphs from 0.21 on).
Read from vllm/worker/worker.py (V0) and vllm/v1/worker/gpu_worker.py (V1), and checked against start-up logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from planner.memory.activations import forward_bytes, sampler_bytes, vision_bytes, workspace_bytes
from planner.memory.constants import engine_constants, version_constants, version_number
from planner.memory.kv_cache import KvCache
from planner.memory.situation import Account, Situation, gib_term, weight_terms
from planner.memory.towers import images_profiled, kept_bytes, tower_bytes
from planner.memory.vllm_pages import Pages
from planner.plan import Term
from planner.support import engines
from planner.units import GIB

pages_of = lru_cache(maxsize=1024)(Pages)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server is started with: sequences at once, tokens in one step, and whether it cuts prompts to fit."""

    sequences: int
    batched_tokens: int
    samples_while_profiling: bool = True


def account(situation: Situation) -> Account:
    """vLLM's own sum for one GPU, without the KV pool."""
    constants = version_constants("vllm", situation.engine_version)
    utilisation = situation.utilisation or engines()["vllm"].usable_memory
    limits = server_limits(situation, constants)
    terms = [
        *weight_terms(situation.weights, situation.scheme),
        activation_term(situation, limits, constants),
        *graph_terms(situation, limits, constants),
        non_torch_term(situation, constants),
    ]
    return Account(
        available_gib=situation.physical_gib * utilisation,
        terms=tuple(terms),
        layout=pages(situation, limits, constants),
    )


def pages(situation: Situation, limits: Limits, constants: Mapping[str, Any]) -> Pages:
    """The pool's layout on a GPU; a window also keeps what the steps write that are under way at once."""
    return laid_out(
        situation.kv,
        engine_constants("vllm")["block_tokens"],
        limits.batched_tokens * constants["in_flight_steps"],
        constants,
        prefix_caching=situation.prefix_caching,
        draft_tokens=situation.draft_tokens,
    )


def laid_out(
    kv: KvCache,
    block_tokens: int,
    step_tokens: int,
    constants: Mapping[str, Any],
    *,
    prefix_caching: bool | None = None,
    draft_tokens: int = 0,
) -> Pages:
    """The pages of that cache in the version of `constants`; `prefix_caching` None takes the version's default.

    Prefix caching keeps a second state of recurrent layers, and where the version writes one a checkpoint; each drafted
    token keeps one more. Models without attention cache no prefixes.
    """
    by_default = bool(kv.layers) and constants["caches_hybrid_prefixes"]
    is_caching = by_default if prefix_caching is None else prefix_caching
    return pages_of(
        kv,
        block_tokens,
        step_tokens,
        states_per_request=(2 if is_caching else 1) + draft_tokens,
        counts_groups=constants["tokens_by"] == "groups",
        counts_blocks=constants["plain_tokens_by"] == "blocks",
        checkpointed_kinds=tuple(constants["checkpointed_kinds"]) if is_caching else (),
    )


def server_limits(situation: Situation, constants: Mapping[str, Any]) -> Limits:
    """The limits given, else the server's defaults for this GPU and version."""
    defaults = engine_constants("vllm")["defaults"]
    size = 1 if is_large_gpu(situation) else 0
    if constants["profile"] == "batched_tokens":
        sequences = situation.max_sequences or defaults["sequences"][size]
        tokens = situation.batched_tokens or default_step(situation, defaults["batched_tokens"][size], sequences)
        return Limits(sequences, max(tokens, sequences))
    sequences = situation.max_sequences or defaults["sequences"][0]
    if situation.batched_tokens is None and situation.context_tokens > constants["cuts_prompts_above"]:
        return Limits(sequences, defaults["batched_tokens"][0], samples_while_profiling=False)
    return Limits(sequences, situation.batched_tokens or max(situation.context_tokens, defaults["batched_tokens"][0]))


def default_step(situation: Situation, usual: int, sequences: int) -> int:
    """Tokens of one step where none are stated: more on the largest GPUs, from the version on that knows them.

    Never more than all requests hold together (vllm/engine/arg_utils.py).
    """
    largest = engine_constants("vllm")["defaults"]["largest"]
    is_new = version_number(situation.engine_version) >= version_number(largest["from"])
    tokens: int = largest["batched_tokens"]
    step = tokens if is_new and situation.physical_gib >= largest["gib"] else usual
    return min(step, sequences * situation.context_tokens) if situation.is_limited else step


def is_large_gpu(situation: Situation) -> bool:
    """vLLM's own test for its larger server defaults: 70 GiB or more, and not an A100."""
    vllm = engine_constants("vllm")
    name = situation.accelerator.name if situation.accelerator else ""
    return situation.physical_gib >= vllm["large_gpu_gib"] and not any(n in name for n in vllm["small_though_large"])


def activation_term(
    situation: Situation, limits: Limits, constants: Mapping[str, Any], *, has_sampler: bool = True
) -> Term:
    """The widest moment of the profiling run, on top of workspaces that stay. Only the last stage samples."""
    shape, tokens = situation.shape, limits.batched_tokens
    images = images_profiled(shape, tokens, situation.context_tokens)
    peak = tower_bytes(shape, images) if images else None
    seen = kept_bytes(shape, images) if images and peak is not None else 0.0
    moments = {
        f"forward pass of {tokens} tokens": seen
        + forward_bytes(shape, tokens, situation.tensor_parallel, constants["hidden_copies"]),
        "vision tower on its largest input": vision_bytes(shape) if peak is None else peak,
    }
    if has_sampler and limits.samples_while_profiling:
        how = f"sampler: {limits.sequences} sequences x {shape.vocab_size} logits"
        moments[how] = seen + sampler_bytes(
            shape, limits.sequences, tokens, constants["sampler_bytes_per_logit"], constants["sampler_hidden_copies"]
        )
    widest = max(moments, key=lambda how: moments[how])
    kept = 0.0
    if constants["keeps_expert_workspace"] and situation.scheme.id != "mxfp4":
        kept = workspace_bytes(shape, tokens, situation.tensor_parallel)
    return gib_term("activation peak", moments[widest] + kept, widest)


def graph_terms(situation: Situation, limits: Limits, constants: Mapping[str, Any]) -> list[Term]:
    """What vLLM estimates its CUDA graphs to take, where the version counts them into the budget."""
    if situation.eager or not constants["graphs_in_budget"]:
        return []
    graphs, layers = engine_constants("vllm")["cuda_graphs"], situation.shape.layer_count
    sizes = captured_sizes(limits.sequences, graphs["largest_batch"])
    usual = captured_sizes(graphs["fitted_sequences"], graphs["largest_batch"])
    gib = graphs["gib_per_layer"] * layers * min(1, sizes / usual)
    return [gib_term("CUDA graphs", gib * GIB, f"{sizes} batch sizes of {layers} layers, as vLLM estimates them")]


@lru_cache(maxsize=1024)
def captured_sizes(sequences: int, largest_batch: int) -> int:
    """Batch sizes vLLM captures graphs of: 1, 2, 4, then by 8 to 256, then by 16, to twice the sequences at most
    (vllm/config/vllm.py, _set_cudagraph_sizes)."""
    largest = min(2 * sequences, largest_batch)
    small = sum(size <= largest for size in (1, 2, 4))
    return small + min(largest, 255) // 8 + max(0, (largest - 256) // 16 + 1 if largest >= 256 else 0)


def non_torch_term(situation: Situation, constants: Mapping[str, Any]) -> Term:
    """CUDA context and, with several GPUs, collective buffers: large over NVLink, small over PCIe."""
    gib = constants["non_torch_gib"][situation.link]
    return gib_term("non-torch", gib * GIB, "CUDA context and collective buffers")
