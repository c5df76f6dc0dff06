"""How tensor parallelism splits a model: what is divided, what is held whole, which layouts are impossible."""

from __future__ import annotations

from math import ceil, gcd

from planner.models.shape import AttentionLayers, Matrix, Shape

KV_ROLES = frozenset({"k_proj", "v_proj", "k_proj_bias", "v_proj_bias", "block_indexer_q_proj"})
LATENT_ROLES = frozenset({"q_a_proj", "kv_a_proj", "kv_a_proj_with_mqa", "routed_down_proj", "routed_up_proj"})
INDEXER_ROLES = frozenset({"indexer_q_proj", "indexer_k_proj", "indexer_weights_proj"})
RESIDUAL_ROLES = frozenset({"residual_query", "hyper_connection", "hyper_head"})
WHOLE_ROLES = LATENT_ROLES | INDEXER_ROLES | RESIDUAL_ROLES
EXPERT_ROLES = "expert_"
WHOLE_COMPONENTS = frozenset({"norms", "router"})


def layout_problem(shape: Shape, tensor_parallel: int) -> str | None:
    """Why the model cannot be split over that many accelerators; None when it can."""
    if tensor_parallel < 1:
        return f"tensor parallelism of {tensor_parallel} is no layout"
    for layers in shape.attention:
        if layers.query_heads % tensor_parallel:
            return (
                f"{layers.query_heads} attention heads do not divide over {tensor_parallel} accelerators"
                f" (possible: {', '.join(map(str, _divisors(layers.query_heads)))})"
            )
        if not layers.latent_dim and max(layers.kv_heads, tensor_parallel) % min(layers.kv_heads, tensor_parallel):
            return f"{layers.kv_heads} key/value heads neither divide over {tensor_parallel} accelerators nor replicate"
    return None


def kv_heads_per_rank(layers: AttentionLayers, tensor_parallel: int) -> int:
    """Key/value heads one rank caches: at least one, so fewer heads than ranks are replicated."""
    return max(1, ceil(layers.kv_heads / tensor_parallel))


def rank_fraction(matrix: Matrix, shape: Shape, tensor_parallel: int, expert_parallel: int | None = None) -> float:
    """The part of a weight tensor that one rank holds; with expert parallelism whole experts are dealt out."""
    if expert_parallel and matrix.role.startswith(EXPERT_ROLES):
        return 1.0 / expert_parallel
    if tensor_parallel == 1 or matrix.component in WHOLE_COMPONENTS or matrix.role in WHOLE_ROLES:
        return 1.0
    if matrix.role in KV_ROLES and shape.attention:
        heads = max(layers.kv_heads for layers in shape.attention)
        return max(1, ceil(heads / tensor_parallel)) / heads
    return 1.0 / tensor_parallel


def _divisors(heads: int) -> list[int]:
    return [count for count in (1, 2, 4, 8, 16, 32, 64) if gcd(heads, count) == count]
