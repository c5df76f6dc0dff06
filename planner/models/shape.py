"""The architecture of a model as the planner knows it: layers by kind, and every weight matrix.

A `Shape` is made by exactly one family function (`planner.models.families`) from a config, or read from a GGUF header.
Everything else (parameters, weight bytes per format, KV cache, operations per token) is derived from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Component = Literal[
    "embedding", "head", "attention", "mlp", "experts", "router", "norms", "recurrent", "vision", "other"
]
AttentionKind = Literal["full", "sliding", "chunked", "cross", "mla", "encoder"]
RecurrentKind = Literal[
    "mamba1", "mamba2", "gated_delta_net", "kda", "bounded_kda", "rg_lru", "short_conv", "lightning"
]


@dataclass(frozen=True, slots=True)
class AttentionLayers:
    """`count` identical attention layers.

    `window_tokens` bounds what a sliding or chunked layer remembers; a cross layer that has it always keeps as many
    (Whisper's frames of sound). `latent_dim` (MLA: kv_lora_rank) and `rope_dim`
    (MLA: qk_rope_head_dim) replace per-head keys and values. Layers with `owns_kv=False` read another layer's cache.
    `is_sparse`: a query looks at tokens that an indexer picked, this layer's own or that of a layer before it.
    """

    count: int
    query_heads: int
    kv_heads: int
    head_dim: int
    value_head_dim: int
    kind: AttentionKind = "full"
    window_tokens: int | None = None
    latent_dim: int = 0
    rope_dim: int = 0
    owns_kv: bool = True
    key_is_value: bool = False
    indexer_bytes_per_token: int = 0
    is_sparse: bool = False


@dataclass(frozen=True, slots=True)
class RecurrentLayers:
    """`count` identical layers whose memory is a fixed state per sequence (Mamba, linear attention), in elements.

    The convolution remembers its last inputs: `conv_channels` elements for each of them, `conv_elements` in all.
    """

    count: int
    kind: RecurrentKind
    state_elements: int
    conv_elements: int
    conv_channels: int = 0


@dataclass(frozen=True, slots=True)
class ExpertLayers:
    """`count` mixture-of-experts layers: how many experts exist, are chosen per token, and are always on."""

    count: int
    experts: int
    experts_per_token: int
    intermediate_size: int
    shared_intermediate_size: int = 0


@dataclass(frozen=True, slots=True)
class Matrix:
    """`copies` identical weight tensors of `rows` outputs x `columns` inputs (a vector has one row).

    `role` names the tensor (`q_proj`, `down_proj`, `expert_up_proj` ...). `quantizable` says that weight-only schemes
    quantize it (linear layers of the decoder); embeddings, head, norms, routers and vision towers stay in 16 bits.
    `active_fraction` is the part a single token touches (experts_per_token / experts for routed experts).
    """

    component: Component
    role: str
    rows: int
    columns: int
    copies: int = 1
    quantizable: bool = False
    active_fraction: float = 1.0

    @property
    def parameters(self) -> int:
        return self.rows * self.columns * self.copies

    def is_part_of(self, parts: tuple[str, ...]) -> bool:
        """True for the components or roles named, and for `shared experts`, treated apart from the routed by some."""
        is_shared = "shared experts" in parts and self.role.startswith("shared_expert")
        return is_shared or self.component in parts or self.role in parts


@dataclass(frozen=True, slots=True)
class Shape:
    """One model's architecture. `family` is config.json's `model_type`; `tied_embeddings` means head = embedding."""

    family: str
    hidden_size: int
    vocab_size: int
    layer_count: int
    max_context_tokens: int
    tied_embeddings: bool
    matrices: tuple[Matrix, ...]
    attention: tuple[AttentionLayers, ...] = ()
    recurrent: tuple[RecurrentLayers, ...] = ()
    experts: tuple[ExpertLayers, ...] = ()
    architecture: str = ""
    notes: tuple[str, ...] = field(default=())
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """What is worked out from a shape is kept by it, so its hash is taken once."""
        parts = (self.family, self.hidden_size, self.vocab_size, self.matrices, self.attention, self.recurrent)
        object.__setattr__(self, "_hash", hash((*parts, self.experts)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def parameters(self) -> int:
        return sum(m.parameters for m in self.matrices)

    @property
    def active_parameters(self) -> int:
        """Parameters one token touches: all of a dense model, the chosen and shared experts of a MoE."""
        return round(sum(m.parameters * m.active_fraction for m in self.matrices))

    @property
    def params_b(self) -> float:
        return self.parameters / 1e9

    @property
    def is_encoder(self) -> bool:
        """True for models that read a text whole and write none: no head, no sampling, no cache."""
        return any(layers.kind == "encoder" for layers in self.attention)

    @property
    def is_moe(self) -> bool:
        return bool(self.experts)

    def parameters_by_component(self) -> dict[str, int]:
        totals: dict[str, int] = {}
        for matrix in self.matrices:
            totals[matrix.component] = totals.get(matrix.component, 0) + matrix.parameters
        return totals

    def quantizable(self) -> Iterator[Matrix]:
        return (m for m in self.matrices if m.quantizable)
