"""The tensors a model has in a GGUF file before quantization: their llama.cpp names, categories and dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from planner.memory.layer_kinds import layers_of
from planner.models.shape import AttentionLayers, Matrix, Shape

BLOCK_NAMES = {
    "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output", "qkv_proj": "attn_qkv",
    "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down", "gate_up_proj": "ffn_up",
    "expert_gate_proj": "ffn_gate_exps", "expert_up_proj": "ffn_up_exps", "expert_down_proj": "ffn_down_exps",
    "shared_expert_gate_proj": "ffn_gate_shexp", "shared_expert_up_proj": "ffn_up_shexp",
    "shared_expert_down_proj": "ffn_down_shexp", "router": "ffn_gate_inp",
    "q_a_proj": "attn_q_a", "q_b_proj": "attn_q_b", "kv_a_proj": "attn_kv_a_mqa",
}  # fmt: skip
TOP_NAMES = {"embed_tokens": "token_embd", "lm_head": "output"}
CATEGORIES = ("ffn_down", "ffn_gate", "ffn_up")
DELTA_INPUTS, DELTA_OUTPUT = "in_proj_qkvz", "out_proj"
NO_LAYER = -1
F32_COMPONENTS = frozenset({"norms", "router"})


@dataclass(frozen=True, slots=True)
class GgmlSource:
    """One tensor as the converter writes it: `columns` is the row length; vectors, norms and routers stay F32."""

    name: str
    category: str
    layer: int
    rows: int
    columns: int
    stays_f32: bool

    @property
    def is_stacked(self) -> bool:
        """True for tensors of three dimensions: all experts of a layer, all heads of a latent's halves."""
        return "_exps.weight" in self.name or "attn_k_b." in self.name or "attn_v_b." in self.name


@lru_cache(maxsize=64)
def source_tensors(shape: Shape) -> tuple[GgmlSource, ...]:
    """All tensors in the order of the file: those of no layer first, then by layer and name.

    Vision towers are left out: they live in a file of their own (mmproj); an encoder's pooler is not converted.
    """
    found = [tensor for matrix in shape.matrices if is_converted(matrix) for tensor in tensors_of(matrix, shape)]
    return tuple(sorted(found, key=lambda tensor: (tensor.layer, tensor.name)))


def is_converted(matrix: Matrix) -> bool:
    return matrix.component != "vision" and not matrix.role.startswith("pooler")


def tensors_of(matrix: Matrix, shape: Shape) -> Iterator[GgmlSource]:
    """The tensors one entry of the shape stands for, first layer first."""
    if matrix.role in TOP_NAMES:
        name = TOP_NAMES[matrix.role]
        yield GgmlSource(f"{name}.weight", name, NO_LAYER, matrix.rows, matrix.columns, stays_f32=False)
    elif matrix.role == "kv_b_proj":
        yield from _latent_halves(matrix, next(layers for layers in shape.attention if layers.latent_dim))
    elif matrix.component == "experts" and matrix.role.startswith("expert_"):
        yield from _expert_tensors(matrix, shape)
    elif matrix.role == DELTA_INPUTS:
        yield from _delta_parts(matrix, shape)
    else:
        for layer in layers_of(matrix, shape):
            yield _block_tensor(matrix, layer, matrix.rows)


def _expert_tensors(matrix: Matrix, shape: Shape) -> Iterator[GgmlSource]:
    """All experts of a layer are one tensor. Where some layers are dense, they are the first ones."""
    experts = shape.experts[0].experts
    count = matrix.copies // experts
    for layer in range(shape.layer_count - count, shape.layer_count):
        yield _block_tensor(matrix, layer, matrix.rows * experts)


def _delta_parts(matrix: Matrix, shape: Shape) -> Iterator[GgmlSource]:
    """A delta net's inputs are split into queries, keys and values, and the gate of its output (conversion/qwen.py)."""
    gate_rows = next(other.columns for other in shape.matrices if other.role == DELTA_OUTPUT)
    for layer in layers_of(matrix, shape):
        for name, rows in (("attn_qkv", matrix.rows - gate_rows), ("attn_gate", gate_rows)):
            yield GgmlSource(f"blk.{layer}.{name}.weight", name, layer, rows, matrix.columns, stays_f32=False)


def _latent_halves(matrix: Matrix, layers: AttentionLayers) -> Iterator[GgmlSource]:
    """MLA's kv_b is split into its key half, transposed, and its value half."""
    key_dim = layers.head_dim - layers.rope_dim
    for layer in range(matrix.copies):
        key_rows = layers.query_heads * matrix.columns
        yield GgmlSource(f"blk.{layer}.attn_k_b.weight", "other", layer, key_rows, key_dim, stays_f32=False)
        value_rows = layers.query_heads * layers.value_head_dim
        yield GgmlSource(f"blk.{layer}.attn_v_b.weight", "other", layer, value_rows, matrix.columns, stays_f32=False)


def _block_tensor(matrix: Matrix, layer: int, rows: int) -> GgmlSource:
    """One tensor of one layer. The norms of a shape are not told apart; here they all stand as the MLP's norm."""
    role, kind = (
        (matrix.role.removesuffix("_bias"), "bias") if matrix.role.endswith("_bias") else (matrix.role, "weight")
    )
    name = "ffn_norm" if matrix.component == "norms" else BLOCK_NAMES.get(role, role)
    stays_f32 = matrix.component in F32_COMPONENTS or not matrix.quantizable
    return GgmlSource(
        f"blk.{layer}.{name}.{kind}",
        _category(name) if kind == "weight" else kind,
        layer,
        rows,
        matrix.columns,
        stays_f32,
    )


def _category(name: str) -> str:
    return next((category for category in CATEGORIES if name.startswith(category)), name)
