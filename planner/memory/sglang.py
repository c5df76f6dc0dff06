"""How SGLang accounts: weights and KV share `mem_fraction_static` of what is free at start; the rest is for the step.

The default fraction leaves room for a prefill chunk and CUDA graphs, by size of the GPU
(sglang/srt/server_args.py, `_handle_gpu_memory_settings`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.memory.constants import engine_constants, version_constants
from planner.memory.situation import Account, PlainLayout, Situation, gib_term, weight_terms
from planner.units import GIB, MIB


def account(situation: Situation) -> Account:
    """SGLang's sum for one GPU, without the KV pool."""
    context_gib = engine_constants("sglang")["context_gib"][situation.link]
    free_gib = situation.physical_gib - context_gib
    reserve_gib = free_gib * (1 - static_fraction(situation))
    return Account(
        available_gib=situation.physical_gib,
        terms=(
            *weight_terms(situation.weights, situation.scheme),
            gib_term("non-torch", context_gib * GIB, "CUDA context and collective buffers"),
            gib_term("reserve", reserve_gib * GIB, "activations and CUDA graphs, outside mem_fraction_static"),
        ),
        layout=PlainLayout(situation.kv),
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
