"""How SGLang accounts: weights and KV share `mem_fraction_static` of what is free at start; the rest is for the step.

The default fraction leaves room for a prefill chunk and CUDA graphs, by size of the GPU
(sglang/srt/server_args.py, `_handle_gpu_memory_settings`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.memory.constants import engine_constants, version_constants
from planner.memory.kv_cache import CachedLayers, KvCache
from planner.memory.situation import Account, PlainLayout, Situation, gib_term, weight_terms
from planner.models.shape import Shape
from planner.units import GIB, MIB

RECURRENT_STATES = "recurrent states"


def account(situation: Situation) -> Account:
    """SGLang's sum for one GPU, without the KV pool."""
    context_gib = engine_constants("sglang")["context_gib"][situation.link]
    free_gib = situation.free_gib or situation.physical_gib - context_gib
    reserve_gib = free_gib * (1 - static_fraction(situation))
    terms = [
        *weight_terms(situation.weights, situation.scheme),
        gib_term("non-torch", (situation.physical_gib - free_gib) * GIB, "CUDA context and collective buffers"),
        gib_term("reserve", reserve_gib * GIB, "activations and CUDA graphs, outside mem_fraction_static"),
    ]
    left_gib = situation.physical_gib - sum(term.predicted_gib for term in terms)
    if situation.kv.states:
        share = state_share()
        how = f"{share:.0%} of what is left (--mamba-full-memory-ratio)"
        terms.append(gib_term(RECURRENT_STATES, max(left_gib, 0) * share * GIB, how))
    return Account(situation.physical_gib, tuple(terms), PlainLayout(pools(situation.kv, situation.shape)))


def state_share() -> float:
    """The part of the pool that holds recurrent states instead of keys and values."""
    ratio: float = engine_constants("sglang")["state_to_cache"]
    return ratio / (1 + ratio)


def pools(kv: KvCache, shape: Shape) -> KvCache:
    """The cache as SGLang allocates it: two pools where it knows the family's windows, else whole contexts.

    The pool of sliding layers holds a fixed share of the tokens of the full one (--swa-full-tokens-ratio). Layers that
    read another's cache have one of their own all the same.
    """
    constants = engine_constants("sglang")
    ratio = constants["window_to_full"] if shape.family in constants["window_families"] else 1.0
    owning = sum(layers.count for layers in shape.attention if layers.owns_kv)
    all_layers = sum(layers.count for layers in shape.attention if layers.kind != "encoder")
    layers = tuple(
        CachedLayers(part.count, part.layer_bytes_per_token * (ratio if part.window_tokens else 1.0))
        for part in kv.layers
    )
    return KvCache(layers) if owning == all_layers else KvCache(with_sharing_layers(layers, kv, shape))


def with_sharing_layers(layers: tuple[CachedLayers, ...], kv: KvCache, shape: Shape) -> tuple[CachedLayers, ...]:
    """Counts the layers without a cache of their own to those of their kind."""
    counts = {
        window: sum(layers.count for layers in shape.attention if layers.window_tokens == window)
        for window in {part.window_tokens for part in kv.layers}
    }
    return tuple(
        CachedLayers(counts[part.window_tokens], layer.layer_bytes_per_token)
        for part, layer in zip(kv.layers, layers, strict=True)
    )


def static_fraction(situation: Situation) -> float:
    """The fraction given, else the server's default for this version, GPU size and parallelism."""
    if situation.utilisation:
        return situation.utilisation
    version = version_constants("sglang", situation.engine_version)
    if "fraction" in version:
        fraction: float = version["fraction"]
        return fraction
    gpu_mib = max(situation.physical_gib, 1) * GIB / MIB
    return round((gpu_mib - reserved_mib(situation, version)) / gpu_mib, 3)


def reserved_mib(situation: Situation, version: Mapping[str, Any]) -> float:
    """MiB left for a step: metadata, a prefill chunk, CUDA graphs, and parallelism."""
    size = next(size for size in version["sizes"] if situation.physical_gib < size["below_gib"])
    batch = size["graph_batch"][1 if situation.tensor_parallel >= version["many_ranks"] else 0]
    ranks = situation.tensor_parallel * situation.pipeline_parallel
    reserved = (
        version["metadata_mib"]
        + size["chunk_tokens"] * version["mib_per_chunk_token"]
        + batch * version["mib_per_graph_sequence"]
        + ranks * version["mib_per_rank"]
    )
    return float(max(reserved, size["least_mib"]))
