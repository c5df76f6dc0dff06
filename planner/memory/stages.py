"""Pipeline parallelism: what the fullest stage holds. The first has the embedding, the last the head."""

from __future__ import annotations

from dataclasses import replace

from planner.memory.kv_cache import KvCache
from planner.memory.weights import WeightBytes
from planner.models.shape import Shape


def stage_weights(weights: WeightBytes, shape: Shape, tensor_parallel: int, stages: int) -> WeightBytes:
    """Weights of the fullest of `stages` stages: its share of the layers, and one of the vocabulary tables."""
    if stages == 1:
        return weights
    table = shape.vocab_size * shape.hidden_size * 2 / tensor_parallel
    tables = table * (1 if shape.tied_embeddings else 2)
    layers = weights.total - tables
    share = -(-shape.layer_count // stages) / shape.layer_count
    return weights.times((layers * share + table) / weights.total)


def stage_kv(kv: KvCache, stages: int) -> KvCache:
    """The cache of one stage: its share of the layers of each kind, rounded up."""
    if stages == 1:
        return kv
    layers = tuple(replace(part, count=-(-part.count // stages)) for part in kv.layers)
    return KvCache(layers, tuple(replace(part, count=-(-part.count // stages)) for part in kv.states))
