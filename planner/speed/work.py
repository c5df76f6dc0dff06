"""What one step has to move and multiply, per accelerator: the physics, before any efficiency.

Every field is a float or an array of floats of one length: the formulas that read it use plain arithmetic only.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.models.shape import Shape
from planner.schemes import Scheme
from planner.speed.anatomy import SIXTEEN_BIT_BYTES, Anatomy, anatomy


@dataclass(frozen=True, slots=True)
class Layout:
    """How a model lies on accelerators. `attention_data_parallel` copies attention, `expert_parallel` deals experts.

    Of `pipeline_parallel` stages each takes `accelerators`, and a request passes one after the other.
    """

    tensor_parallel: float = 1
    attention_data_parallel: float = 1
    expert_parallel: float = 1
    pipeline_parallel: float = 1

    @property
    def accelerators(self) -> float:
        return self.tensor_parallel * self.attention_data_parallel


@dataclass(frozen=True, slots=True)
class Stored:
    """How weights and cache are stored: bits a quantized weight takes with its scales, and bytes on one accelerator.

    `dense_bits`: bits of attention and shared layers where only the experts are quantized; None: as `weight_bits`.
    `plain_bits`: of the head and the routers: 16, but for GGUF files, which quantize the head, too.
    """

    weight_bits: float
    weight_bytes: float
    kv_bytes_per_token: float
    dense_bits: float | None = None
    plain_bits: float = 16.0

    @classmethod
    def of(cls, scheme: Scheme, weight_bytes: float, kv_bytes_per_token: float) -> Stored:
        """Weights in this scheme, and the cache, as one accelerator holds them."""
        bits = scheme.bits_per_weight()
        return cls(bits, weight_bytes, kv_bytes_per_token, plain_bits=scheme.head_bits)

    @property
    def bits_of_dense(self) -> float:
        return self.weight_bits if self.dense_bits is None else self.dense_bits


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

    `dense` is what every token touches in the weight format, `expert` the routed experts, `plain` what is stored apart
    (head, routers: mostly in 16 bits), `cache` the keys and values and recurrent states. `message_bytes` is what one
    all-reduce carries.
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


def decode_work(model: Shape | Anatomy, stored: Stored, layout: Layout, sequences: float, context: float) -> Work:
    """A step that adds a token to each of `sequences` requests of `context` tokens (all accelerators together)."""
    known = _known(model)
    return _work(
        known,
        stored,
        layout,
        tokens=sequences,
        sequences=sequences,
        cache_tokens=sequences * attended_tokens(known, context),
        attention_operations=sequences * attention_operations(known, context, absorbed=True),
    )


def prefill_work(
    model: Shape | Anatomy, stored: Stored, layout: Layout, prompt_tokens: float, tokens: float | None = None
) -> Work:
    """A step that reads one whole prompt; with `tokens`, one that reads so many tokens of prompts of that length."""
    known = _known(model)
    seen = attended_tokens(known, prompt_tokens / 2) / (prompt_tokens / 2)
    read = prompt_tokens if tokens is None else tokens
    return _work(
        known,
        stored,
        layout,
        tokens=read,
        sequences=read / prompt_tokens,
        cache_tokens=read * seen,
        attention_operations=read * attention_operations(known, prompt_tokens / 2, absorbed=False),
    )


def chunk_work(
    model: Shape | Anatomy,
    stored: Stored,
    layout: Layout,
    tokens: float,
    cached_tokens: float,
    sequences: float = 0.0,
    context: float = 0.0,
) -> Work:
    """A step that reads `tokens` tokens of one prompt behind `cached_tokens` that are in the cache already.

    The same pass may add a token to each of `sequences` requests of `context` tokens; weights are read once for all.
    """
    known = _known(model)
    seen = cached_tokens + tokens / 2
    return _work(
        known,
        stored,
        layout,
        tokens=tokens + sequences,
        sequences=1 + sequences,
        cache_tokens=attended_tokens(known, cached_tokens + tokens) + sequences * attended_tokens(known, context),
        attention_operations=tokens * attention_operations(known, seen, absorbed=False)
        + sequences * attention_operations(known, context, absorbed=True),
    )


def nominal_weight_bytes(
    model: Shape | Anatomy, layout: Layout, weight_bits: float, dense_bits: float, plain_bits: float = 16.0
) -> float:
    """Weights on one accelerator: attention once a copy, the rest shared by all."""
    known = _known(model)
    shared = known.dense * dense_bits + known.expert * weight_bits + (known.plain + known.looked_up) * plain_bits
    return (known.attention * dense_bits / layout.tensor_parallel + shared / layout.accelerators) / 8


def _known(model: Shape | Anatomy) -> Anatomy:
    return anatomy(model) if isinstance(model, Shape) else model


def _work(
    model: Anatomy,
    stored: Stored,
    layout: Layout,
    *,
    tokens: float,
    sequences: float,
    cache_tokens: float,
    attention_operations: float,
) -> Work:
    ranks, copies, dense_bits = layout.accelerators, layout.attention_data_parallel, stored.bits_of_dense
    scale = stored.weight_bytes / nominal_weight_bytes(model, layout, stored.weight_bits, dense_bits, stored.plain_bits)
    dense_parameters = model.attention * copies + model.dense
    quantized = one_if(dense_bits < 16)
    dense_bytes = dense_parameters * dense_bits / 8 * scale / ranks
    dense_operations = 2 * (model.attention + model.dense) * tokens / ranks
    return Work(
        tokens=tokens,
        sequences=sequences,
        dense_bytes=dense_bytes * quantized,
        dense_operations=dense_operations * quantized,
        expert_bytes=model.expert * stored.weight_bits / 8 * scale / ranks * touched_share(model, tokens),
        expert_operations=2 * model.active_expert * tokens / ranks,
        plain_bytes=model.plain * stored.plain_bits / 8 * scale / ranks + dense_bytes * (1 - quantized),
        plain_operations=2 * model.plain * sequences / ranks + dense_operations * (1 - quantized),
        cache_bytes=cache_tokens * stored.kv_bytes_per_token / copies + model.state_bytes * sequences / ranks,
        attention_operations=attention_operations / ranks,
        layers=model.layers,
        expert_layers=model.expert_layers,
        recurrent_layers=model.recurrent_layers,
        message_bytes=tokens / copies * model.hidden_size * SIXTEEN_BIT_BYTES,
        accelerators=ranks,
    )


def touched_share(model: Shape | Anatomy, tokens: float) -> float:
    """The part of all routed experts that `tokens` tokens read, if the router spreads evenly: 1 - (1 - k/n)^tokens."""
    touched: float = 1 - (1 - _known(model).expert_share) ** tokens
    return touched


def attended_tokens(model: Anatomy, context: float) -> float:
    """Tokens' worth of the whole cache that one new token reads: fewer than the context where layers have windows."""
    width = sum(group.width for group in model.cache_groups)
    read = sum(group.width * lesser(context, group.window_tokens) for group in model.cache_groups)
    return read / (width + one_if(width == 0))


def attention_operations(model: Anatomy, context: float, *, absorbed: bool) -> float:
    """Operations of scores and weighted values for one token; MLA decodes in its latent space (`absorbed`)."""
    total = 0.0
    for group in model.cache_groups:
        each = group.decode_operations if absorbed else group.prompt_operations
        total = total + each * lesser(context, group.window_tokens)
    return total


def lesser(a: float, b: float) -> float:
    """The smaller of two numbers; elementwise on arrays."""
    return (a + b - abs(a - b)) / 2


def one_if(truth: bool) -> float:
    """1 where true, else 0; elementwise on arrays."""
    return truth * 1.0
