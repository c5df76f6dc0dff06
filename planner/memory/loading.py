"""What a PyTorch engine holds after loading a model, besides the tensors themselves: rounding, padding, rope tables."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

from planner.memory.constants import engine_constants, version_constants
from planner.memory.sharding import rank_fraction
from planner.memory.weights import NOTHING, WeightBytes, layout_of, matrix_bytes
from planner.models.shape import Matrix, Shape
from planner.schemes import Scheme
from planner.units import GIB, MIB

SEGMENT_BYTES = 2 * MIB
OWN_SEGMENT_BYTES = 10 * MIB
SPLIT_BYTES = MIB
VOCAB_PADDING = 64
FUSED = {
    "q_proj": "qkv", "k_proj": "qkv", "v_proj": "qkv", "gate_proj": "gate_up", "up_proj": "gate_up",
    "expert_gate_proj": "expert_gate_up", "expert_up_proj": "expert_gate_up",
    "shared_expert_gate_proj": "shared_gate_up", "shared_expert_up_proj": "shared_gate_up",
    "q_a_proj": "qkv_a", "kv_a_proj": "qkv_a",
}  # fmt: skip


@lru_cache(maxsize=4096)
def loading_extra(
    shape: Shape,
    scheme: Scheme,
    group_size: int | None = None,
    tensor_parallel: int = 1,
    engine: str = "vllm",
    *,
    expert_parallel: int | None = None,
    engine_version: str | None = None,
) -> WeightBytes:
    """Bytes a rank holds beyond the checkpoint: allocator rounding, padded vocabulary, rope tables."""
    scheme = layout_of(shape, scheme)
    rounding = sum(
        rounding_bytes(tensor_bytes) * count
        for tensor_bytes, count in fused_tensors(shape, scheme, group_size, tensor_parallel, expert_parallel)
    )
    rounding += expert_padding_bytes(shape, scheme, tensor_parallel)
    padding = vocab_padding_bytes(shape, tensor_parallel)
    libraries = engine_constants("loading")["library_gib"].get(engine, 0) * GIB
    dense = padding + rope_bytes(shape) + absorbed_bytes(shape, tensor_parallel) + libraries
    dense += sharing_bytes(shape, tensor_parallel)
    if engine == "vllm" and version_constants("vllm", engine_version)["absorbs_latent"]:
        dense += multiplied_out_bytes(shape, scheme, tensor_parallel)
    return WeightBytes(rounding, 0, dense) if scheme.is_quantized else WeightBytes(rounding + dense, 0, 0)


def rounding_bytes(tensor_bytes: float) -> float:
    """What the caching allocator wastes on one tensor (PyTorch c10/cuda/CUDACachingAllocator).

    From 10 MiB a tensor has segments of its own, in steps of 2 MiB; what is left of them is split off for others
    only if it is more than 1 MiB.
    """
    if tensor_bytes < OWN_SEGMENT_BYTES:
        return 0
    left = -tensor_bytes % SEGMENT_BYTES
    return left if left <= SPLIT_BYTES else 0


def fused_tensors(
    shape: Shape, scheme: Scheme, group_size: int | None, tensor_parallel: int, expert_parallel: int | None = None
) -> list[tuple[float, int]]:
    """(bytes, number) of the tensors as the engine stores them: query, key and value in one, gate and up in one."""
    sizes: dict[tuple[str, int], WeightBytes] = defaultdict(lambda: NOTHING)
    for matrix in shape.matrices:
        layers = layers_with(matrix, shape)
        fraction = rank_fraction(matrix, shape, tensor_parallel, expert_parallel)
        one = matrix_bytes(matrix, scheme, group_size).times(fraction / layers)
        sizes[FUSED.get(matrix.role, matrix.role), layers] += one
    return [(size.quantized + size.sixteen_bit, layers) for (_, layers), size in sizes.items()]


def layers_with(matrix: Matrix, shape: Shape) -> int:
    """In how many layers the matrix stands; the experts of a layer are one tensor."""
    if matrix.role.startswith("expert_") and shape.experts:
        return max(1, matrix.copies // shape.experts[0].experts)
    return matrix.copies


def expert_padding_bytes(shape: Shape, scheme: Scheme, tensor_parallel: int) -> float:
    """What kernels add to the experts by padding each expert's matrices to their tiles."""
    padding = engine_constants("loading")["expert_padding"]
    if scheme.id not in padding["schemes"] or not shape.experts:
        return 0.0
    width = shape.experts[0].intermediate_size / tensor_parallel
    grown = (1 + _up_to(shape.hidden_size, padding["hidden"])) * (1 + _up_to(width, padding["intermediate"]))
    experts = [matrix for matrix in shape.matrices if matrix.role.startswith("expert_") and matrix.quantizable]
    held = sum(matrix_bytes(m, scheme, None).total * rank_fraction(m, shape, tensor_parallel) for m in experts)
    return held * (grown - 1)


def _up_to(size: float, multiple: int) -> float:
    """The part by which a size grows when it is rounded up to a multiple."""
    return -size % multiple / size


def vocab_padding_bytes(shape: Shape, tensor_parallel: int) -> float:
    """The vocabulary is padded to a multiple of 64, in the embedding and in a head of its own."""
    tables = 1 if shape.tied_embeddings else 2
    return -shape.vocab_size % VOCAB_PADDING * shape.hidden_size * 2 * tables / tensor_parallel


def rope_bytes(shape: Shape) -> float:
    """Tables of rotary cosines and sines, one 16-bit row a position: one for all full layers, one for sliding ones."""
    one_table = engine_constants("loading")["one_rotary_table"]
    rotary = {True: 0, False: 0}
    for layers in shape.attention:
        if layers.kind != "encoder":
            is_sliding = layers.kind == "sliding" and shape.family not in one_table
            rotary[is_sliding] = max(rotary[is_sliding], layers.rope_dim or layers.head_dim)
    return shape.max_context_tokens * sum(rotary.values()) * 2


def sharing_bytes(shape: Shape, tensor_parallel: int) -> float:
    """Key and value projections that layers reading another's cache are given all the same, with nothing to load."""
    reading = (layers for layers in shape.attention if not layers.owns_kv and layers.kind != "encoder")
    elements = sum(layers.count * 2 * layers.kv_heads * layers.head_dim for layers in reading)
    return elements * shape.hidden_size * 2 / tensor_parallel


def absorbed_bytes(shape: Shape, tensor_parallel: int) -> float:
    """MLA's key-value up-projection once more, split and in 16 bits, for attention on the latent."""
    return sum(
        layers.count
        * layers.query_heads
        * (layers.head_dim - layers.rope_dim + layers.value_head_dim)
        * layers.latent_dim
        * 2
        / tensor_parallel
        for layers in shape.attention
        if layers.latent_dim
    )


def multiplied_out_bytes(shape: Shape, scheme: Scheme, tensor_parallel: int) -> float:
    """What vLLM 0.7 kept besides: the latent's projections multiplied into those of queries and outputs.

    `W_Q_UK` and `W_UV_O` in the weights' own width, `W_QR` in 16 bits
    (vllm/attention/backends/mla/utils.py, VLLM_MLA_PERFORM_MATRIX_ABSORPTION).
    """
    total = 0.0
    for layers in (layers for layers in shape.attention if layers.latent_dim):
        read = next((m.columns for m in shape.matrices if m.role == "q_b_proj"), shape.hidden_size)
        multiplied = layers.query_heads * layers.latent_dim * (read + shape.hidden_size) * scheme.weight_bits / 8
        rotary = layers.query_heads * layers.rope_dim * read * 2
        total += layers.count * (multiplied + rotary) / tensor_parallel
    return total
