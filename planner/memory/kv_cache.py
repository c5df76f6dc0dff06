"""What a sequence leaves in memory: keys and values per token and layer kind, and fixed states of recurrent layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from planner.catalog import load_yaml
from planner.memory.sharding import kv_heads_per_rank
from planner.models.shape import AttentionLayers, RecurrentKind, RecurrentLayers, Shape


@dataclass(frozen=True, slots=True)
class StoredElements:
    """How a cache stores: bytes of an element, and what a head's keys and values of one token have besides.

    `latent_bytes` is what a latent takes where it is packed with its scales; `sparse` names the format that latents of
    sparse attention have instead.
    """

    element_bytes: float
    head_bytes: float = 0.0
    latent_bytes: float = 0.0
    sparse: str = ""

    @classmethod
    def of(cls, kv_format: str, engine: str = "") -> StoredElements:
        """That of the catalogue; of two formats their mean."""
        known = load_yaml("memory_constants.yaml")["kv_element_bytes"]
        entries = [known[name] for name in kv_format.split("/")]
        first = entries[0]
        return cls(
            element_bytes=sum(entry["bytes"] for entry in entries) / len(entries),
            head_bytes=first.get("head_bytes", 0.0),
            latent_bytes=first.get("latent_bytes", 0.0),
            sparse=first.get("sparse", {}).get(engine, ""),
        )


@dataclass(frozen=True, slots=True)
class CachedLayers:
    """`count` attention layers of one kind on one rank: bytes a token leaves in each, and how many tokens they keep.

    `is_chunked`: the window does not slide, it starts anew every `window_tokens` (Llama 4).
    """

    count: int
    layer_bytes_per_token: float
    window_tokens: int | None = None
    is_chunked: bool = False

    @property
    def bytes_per_token(self) -> float:
        return self.count * self.layer_bytes_per_token

    def bytes_for(self, context_tokens: int, block_tokens: int = 1, window_extra_tokens: int = 0) -> float:
        """Bytes of one sequence, in whole blocks; a window keeps `window_extra_tokens` more while a step is written."""
        window = self.window_tokens
        remembered = min(context_tokens, window + window_extra_tokens) if window else context_tokens
        return self.bytes_per_token * padded(remembered, block_tokens)


@dataclass(frozen=True, slots=True)
class StateLayers:
    """`count` recurrent layers: the bytes of a sequence's state in each, however long the sequence is."""

    count: int
    layer_bytes: float
    kind: RecurrentKind | None = None


@dataclass(frozen=True, slots=True)
class KvCache:
    """The cache of one accelerator: attention layers by kind, and recurrent layers."""

    layers: tuple[CachedLayers, ...]
    states: tuple[StateLayers, ...] = ()

    @property
    def state_bytes(self) -> float:
        """Bytes of one sequence's states."""
        return sum(part.count * part.layer_bytes for part in self.states)

    @property
    def bytes_per_token(self) -> float:
        """Bytes one more token takes while no window is full yet."""
        return sum(layers.bytes_per_token for layers in self.layers)

    @property
    def is_proportional(self) -> bool:
        """True where a sequence's cache is tokens x bytes per token, with no windows and no states."""
        return not self.states and not any(layers.window_tokens for layers in self.layers)

    def sequence_bytes(self, context_tokens: int, block_tokens: int = 1, window_extra_tokens: int = 0) -> float:
        """Bytes of one sequence of that length."""
        layers = (part.bytes_for(context_tokens, block_tokens, window_extra_tokens) for part in self.layers)
        return self.state_bytes + sum(layers)


def padded(tokens: int, block_tokens: int) -> int:
    """Tokens rounded up to whole blocks."""
    return -(-tokens // block_tokens) * block_tokens


@lru_cache(maxsize=1024)
def kv_cache(
    shape: Shape,
    kv_format: str,
    tensor_parallel: int = 1,
    engine: str = "vllm",
    *,
    latent_multiple: int = 1,
    draft_tokens: int = 0,
) -> KvCache:
    """The cache one of `tensor_parallel` ranks holds, its elements in `kv_format` (16-bit, fp8, int8).

    Two formats (`int8/q4_0`) are those of keys and of values, which are taken to be equally wide. MLA's latents
    are rounded up to `latent_multiple` elements; convolutions remember `draft_tokens` more inputs.
    """
    stored = StoredElements.of(kv_format, engine)
    caching = [layers for layers in shape.attention if layers.owns_kv and not keeps_always(layers)]
    parts = (
        CachedLayers(
            layers.count,
            token_bytes(layers, stored, tensor_parallel, latent_multiple),
            layers.window_tokens,
            is_chunked=layers.kind == "chunked",
        )
        for layers in caching
    )
    return KvCache(
        layers=tuple(parts),
        states=(
            *(
                _states(layers, state_element_bytes(layers, shape.family, engine), tensor_parallel, draft_tokens)
                for layers in shape.recurrent
            ),
            *(
                StateLayers(layers.count, token_bytes(layers, stored, tensor_parallel) * layers.window_tokens)
                for layers in filter(keeps_always, shape.attention)
                if layers.window_tokens
            ),
        ),
    )


def keeps_always(layers: AttentionLayers) -> bool:
    """True for cross-attention on an input of one length: its cache is as large for every sequence."""
    return layers.kind == "cross" and layers.window_tokens is not None


def token_bytes(
    layers: AttentionLayers, stored: StoredElements, tensor_parallel: int, latent_multiple: int = 1
) -> float:
    """Bytes one token leaves in one layer of one rank. MLA's latent is replicated on every rank."""
    if layers.latent_dim:
        if layers.is_sparse and stored.sparse:
            stored = StoredElements.of(stored.sparse)
        latent = padded(layers.latent_dim + layers.rope_dim, latent_multiple) * stored.element_bytes
        return (stored.latent_bytes or latent) + layers.indexer_bytes_per_token
    heads = kv_heads_per_rank(layers, tensor_parallel)
    dims = layers.head_dim if layers.key_is_value else layers.head_dim + layers.value_head_dim
    return heads * (dims * stored.element_bytes + stored.head_bytes) + layers.indexer_bytes_per_token


def state_element_bytes(layers: RecurrentLayers, family: str, engine: str) -> Mapping[str, float]:
    """Bytes of an element of the recurrent state (`state`) and of the convolution's inputs (`conv`)."""
    known: Mapping[str, Mapping[str, float]] = load_yaml("memory_constants.yaml")["state_element_bytes"]
    own = f"{engine} {family}"
    if engine == "llama.cpp" or own in known:
        return known[own if own in known else engine]
    return known["others_mamba" if layers.kind.startswith("mamba") else "others"]


def _states(
    layers: RecurrentLayers, element_bytes: Mapping[str, float], tensor_parallel: int, draft_tokens: int
) -> StateLayers:
    convolved = layers.conv_elements + layers.conv_channels * draft_tokens
    one = layers.state_elements * element_bytes["state"] + convolved * element_bytes["conv"]
    return StateLayers(layers.count, one / tensor_parallel, layers.kind)
