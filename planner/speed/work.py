"""What one step has to move and multiply, per accelerator: the physics, before any efficiency.

Every field is a float or an array of floats of one length: the formulas that read it use plain arithmetic only.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.models.shape import AttentionLayers, Shape

SIXTEEN_BIT_BYTES = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """How a model lies on accelerators. `attention_data_parallel` copies attention, `expert_parallel` deals experts."""

    tensor_parallel: int = 1
    attention_data_parallel: int = 1
    expert_parallel: int = 1

    @property
    def accelerators(self) -> int:
        return self.tensor_parallel * self.attention_data_parallel


@dataclass(frozen=True, slots=True)
class Stored:
    """How weights and cache are stored: bits a quantized weight takes with its scales, and bytes on one accelerator."""

    weight_bits: float
    weight_bytes: float
    kv_bytes_per_token: float


@dataclass(frozen=True, slots=True)
class Running:
    """How a model is run: by which engine and kernel, laid out and stored how."""

    engine: str
    kernel: str
    layout: Layout
    stored: Stored


@dataclass(frozen=True, slots=True)
class Work:
    """One step on one accelerator. Bytes read from memory, multiply-adds counted as two operations.

    `dense` is what every token touches in the weight format, `expert` the routed experts, `plain` what stays in 16 bits
    (head, routers), `cache` the keys and values and recurrent states. `message_bytes` is what one all-reduce carries.
    """

    tokens: float
    sequences: float
    dense_bytes: float
    dense_operations: float
    expert_bytes: float
    expert_operations: float
    plain_bytes: float
    plain_operations: float
    cache_bytes: float
    attention_operations: float
    layers: float
    expert_layers: float
    recurrent_layers: float
    message_bytes: float
    accelerators: float


@dataclass(frozen=True, slots=True)
class WeightParts:
    """Parameters by use in a step: read always (dense), when chosen (expert), in 16 bits (plain), looked up."""

    dense: float
    expert: float
    plain: float
    looked_up: float

    @classmethod
    def of(cls, shape: Shape) -> WeightParts:
        dense = expert = plain = looked_up = 0.0
        for matrix in shape.matrices:
            if matrix.component == "experts":
                expert += matrix.parameters
            elif (matrix.component == "embedding" and not shape.tied_embeddings) or matrix.component == "vision":
                looked_up += matrix.parameters
            elif matrix.quantizable:
                dense += matrix.parameters
            else:
                plain += matrix.parameters
        return cls(dense, expert, plain, looked_up)

    def bytes(self, weight_bits: float) -> float:
        return (self.dense + self.expert) * weight_bits / 8 + (self.plain + self.looked_up) * SIXTEEN_BIT_BYTES


def decode_work(shape: Shape, stored: Stored, layout: Layout, sequences: float, context_tokens: float) -> Work:
    """A step that adds a token to each of `sequences` requests of `context_tokens` (all accelerators together)."""
    return _work(
        shape,
        stored,
        layout,
        tokens=sequences,
        sequences=sequences,
        cache_tokens=sequences * attended_tokens(shape, context_tokens),
        attention_operations=sequences * attention_operations(shape, context_tokens, absorbed=True),
    )


def prefill_work(shape: Shape, stored: Stored, layout: Layout, prompt_tokens: float) -> Work:
    """A step that reads one whole prompt."""
    seen = attended_tokens(shape, prompt_tokens / 2) / (prompt_tokens / 2)
    return _work(
        shape,
        stored,
        layout,
        tokens=prompt_tokens,
        sequences=1,
        cache_tokens=prompt_tokens * seen,
        attention_operations=prompt_tokens * attention_operations(shape, prompt_tokens / 2, absorbed=False),
    )


def _work(
    shape: Shape,
    stored: Stored,
    layout: Layout,
    *,
    tokens: float,
    sequences: float,
    cache_tokens: float,
    attention_operations: float,
) -> Work:
    parts = WeightParts.of(shape)
    ranks, copies = layout.accelerators, layout.attention_data_parallel
    scale = stored.weight_bytes * ranks / parts.bytes(stored.weight_bits)
    quantized = stored.weight_bits / 8 * scale / ranks
    active = shape.active_parameters - parts.dense - parts.plain - parts.looked_up
    states = sum(r.count * (2 * r.state_elements + r.conv_elements) for r in shape.recurrent) * SIXTEEN_BIT_BYTES
    return Work(
        tokens=tokens,
        sequences=sequences,
        dense_bytes=parts.dense * quantized,
        dense_operations=2 * parts.dense * tokens / ranks,
        expert_bytes=parts.expert * quantized * touched_share(shape, tokens),
        expert_operations=2 * active * tokens / ranks,
        plain_bytes=parts.plain * SIXTEEN_BIT_BYTES * scale / ranks,
        plain_operations=2 * parts.plain * sequences / ranks,
        cache_bytes=cache_tokens * stored.kv_bytes_per_token / copies + states * sequences / ranks,
        attention_operations=attention_operations / ranks,
        layers=shape.layer_count,
        expert_layers=sum(e.count for e in shape.experts),
        recurrent_layers=sum(r.count for r in shape.recurrent),
        message_bytes=tokens / copies * shape.hidden_size * SIXTEEN_BIT_BYTES,
        accelerators=ranks,
    )


def touched_share(shape: Shape, tokens: float) -> float:
    """The part of all routed experts that `tokens` tokens read, if the router spreads evenly: 1 - (1 - k/n)^tokens."""
    total = sum(e.count * e.experts for e in shape.experts)
    if not total:
        return 0.0
    touched: float = sum(
        e.count * e.experts * (1 - (1 - e.experts_per_token / e.experts) ** tokens) for e in shape.experts
    )
    return touched / total


def attended_tokens(shape: Shape, context_tokens: float) -> float:
    """Tokens' worth of the whole cache that one new token reads: fewer than the context where layers have windows."""
    width = sum(_cache_width(group) * group.count for group in shape.attention)
    if not width:
        return 0.0
    read = sum(
        _cache_width(group) * group.count * min(context_tokens, group.window_tokens or context_tokens)
        for group in shape.attention
    )
    return read / width


def attention_operations(shape: Shape, context_tokens: float, *, absorbed: bool) -> float:
    """Operations of scores and weighted values for one token; MLA decodes in its latent space (`absorbed`)."""
    return sum(
        group.count * _operations_per_key(group, absorbed) * min(context_tokens, group.window_tokens or context_tokens)
        for group in shape.attention
    )


def _cache_width(group: AttentionLayers) -> int:
    if group.kind == "mla":
        return group.latent_dim + group.rope_dim
    return group.kv_heads * (group.head_dim + group.value_head_dim)


def _operations_per_key(group: AttentionLayers, absorbed: bool) -> int:
    if group.kind == "mla" and absorbed:
        return 2 * group.query_heads * (2 * group.latent_dim + group.rope_dim)
    return 2 * group.query_heads * (group.head_dim + group.value_head_dim)
