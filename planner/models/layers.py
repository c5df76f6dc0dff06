"""The building blocks family functions are written in: each returns the weight tensors of some identical layers.

Linear layers are `rows` outputs x `columns` inputs; biases and norms are vectors of one row. `copies` is the number
of layers that have the block.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from planner.models.config import Config
from planner.models.shape import AttentionLayers, Component, ExpertLayers, Matrix, RecurrentLayers, Shape

Matrices = list[Matrix]


@dataclass(frozen=True, slots=True)
class Core:
    """The numbers almost every decoder shares."""

    hidden: int
    layers: int
    query_heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    max_context: int
    tied: bool

    def full_attention(self, count: int | None = None) -> AttentionLayers:
        count = self.layers if count is None else count
        return AttentionLayers(count, self.query_heads, self.kv_heads, self.head_dim, self.head_dim)

    def sliding_attention(self, window_tokens: int, count: int | None = None) -> AttentionLayers:
        return replace(self.full_attention(count), kind="sliding", window_tokens=window_tokens)


def read_core(config: Config, *, tied: bool = False) -> Core:
    """Reads the shared numbers; `tied` is the family's default for `tie_word_embeddings`."""
    hidden = config.integer("hidden_size", "n_embd", "d_model")
    query_heads = config.integer("num_attention_heads", "n_head", "n_heads")
    kv_heads = config.integer("num_key_value_heads", "num_kv_heads", default=query_heads)
    if query_heads % kv_heads:
        raise config.wrong("num_key_value_heads", f"a divisor of num_attention_heads ({query_heads})")
    if not config.has("head_dim") and hidden % query_heads:
        raise config.wrong("hidden_size", f"divisible by num_attention_heads ({query_heads})")
    return Core(
        hidden=hidden,
        layers=config.integer("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
        query_heads=query_heads,
        kv_heads=kv_heads,
        head_dim=config.integer("head_dim", default=max(1, hidden // query_heads)),
        intermediate=config.integer("intermediate_size", default=4 * hidden, least=0),
        vocab=config.integer("vocab_size"),
        max_context=config.integer("max_position_embeddings", "n_positions", "max_seq_len", default=2048),
        tied=config.flag("tie_word_embeddings", tied),
    )


def linear(
    component: Component, role: str, rows: int, columns: int, copies: int, *, bias: bool = False, active: float = 1.0
) -> Matrices:
    """A linear layer that weight-only schemes quantize, and its bias."""
    weight = Matrix(component, role, rows, columns, copies, quantizable=True, active_fraction=active)
    return [weight, *vector(component, f"{role}_bias", rows, copies, active=active)] if bias else [weight]


def vector(component: Component, role: str, length: int, copies: int, *, active: float = 1.0) -> Matrices:
    return [Matrix(component, role, 1, length, copies, active_fraction=active)]


def dense(component: Component, role: str, rows: int, columns: int, copies: int = 1) -> Matrices:
    """A matrix that stays in 16 bits: embeddings, head, routers, convolutions, vision towers."""
    return [Matrix(component, role, rows, columns, copies)]


def norm(length: int, copies: int, *, role: str = "norm", bias: bool = False) -> Matrices:
    return [*vector("norms", role, length, copies), *(vector("norms", f"{role}_bias", length, copies) if bias else [])]


def grouped_attention(
    core: Core, copies: int, *, qkv_bias: bool = False, o_bias: bool = False, gated: bool = False
) -> Matrices:
    """Query, key, value and output projections; `gated` doubles the query projection with an output gate."""
    queries, keys = core.query_heads * core.head_dim, core.kv_heads * core.head_dim
    return [
        *linear("attention", "q_proj", queries * (2 if gated else 1), core.hidden, copies, bias=qkv_bias),
        *linear("attention", "k_proj", keys, core.hidden, copies, bias=qkv_bias),
        *linear("attention", "v_proj", keys, core.hidden, copies, bias=qkv_bias),
        *linear("attention", "o_proj", core.hidden, queries, copies, bias=o_bias),
    ]


def gated_mlp(hidden: int, intermediate: int, copies: int, *, bias: bool = False) -> Matrices:
    return [
        *linear("mlp", "gate_proj", intermediate, hidden, copies, bias=bias),
        *linear("mlp", "up_proj", intermediate, hidden, copies, bias=bias),
        *linear("mlp", "down_proj", hidden, intermediate, copies, bias=bias),
    ]


def plain_mlp(hidden: int, intermediate: int, copies: int, *, bias: bool = False) -> Matrices:
    """An MLP without a gate (GELU, squared ReLU)."""
    return [
        *linear("mlp", "up_proj", intermediate, hidden, copies, bias=bias),
        *linear("mlp", "down_proj", hidden, intermediate, copies, bias=bias),
    ]


def routed_experts(
    hidden: int,
    layers: ExpertLayers,
    *,
    gated: bool = True,
    bias: bool = False,
    router_bias: bool = False,
    expert_hidden: int | None = None,
) -> Matrices:
    """The router and the expert matrices of `layers.count` layers; a token touches experts_per_token of them.

    `expert_hidden`: what experts read and write, where it is not the decoder's own width.
    """
    copies, active = layers.count * layers.experts, layers.experts_per_token / layers.experts
    width, inner = layers.intermediate_size, expert_hidden or hidden
    gate = linear("experts", "expert_gate_proj", width, inner, copies, bias=bias, active=active) if gated else []
    return [
        *dense("router", "router", layers.experts, hidden, layers.count),
        *(vector("router", "router_bias", layers.experts, layers.count) if router_bias else []),
        *gate,
        *linear("experts", "expert_up_proj", width, inner, copies, bias=bias, active=active),
        *linear("experts", "expert_down_proj", inner, width, copies, bias=bias, active=active),
    ]


def shared_expert(hidden: int, layers: ExpertLayers, *, gated: bool = True) -> Matrices:
    """The always-on expert beside the routed ones."""
    width, copies = layers.shared_intermediate_size, layers.count
    if not width:
        return []
    gate = linear("experts", "shared_expert_gate_proj", width, hidden, copies) if gated else []
    return [
        *gate,
        *linear("experts", "shared_expert_up_proj", width, hidden, copies),
        *linear("experts", "shared_expert_down_proj", hidden, width, copies),
    ]


def expert_mlps(hidden: int, layers: ExpertLayers, *, gated: bool = True) -> Matrices:
    """Router, routed and shared experts of mixture-of-experts layers."""
    return [*routed_experts(hidden, layers, gated=gated), *shared_expert(hidden, layers, gated=gated)]


def embedding(core: Core) -> Matrices:
    """The token embedding, and the head where it is a matrix of its own."""
    head = [] if core.tied else dense("head", "lm_head", core.vocab, core.hidden)
    return [*dense("embedding", "embed_tokens", core.vocab, core.hidden), *head]


def decoder(
    config: Config,
    core: Core,
    layers: Matrices,
    *,
    attention: tuple[AttentionLayers, ...] = (),
    recurrent: tuple[RecurrentLayers, ...] = (),
    experts: tuple[ExpertLayers, ...] = (),
    notes: tuple[str, ...] = (),
) -> Shape:
    """A decoder: embeddings, `layers`, head. Blocks with no copies or no elements are dropped.

    Raises BadInput when the layers counted by kind are more than there are.
    """
    if any(matrix.copies < 0 for matrix in layers):
        raise config.wrong("num_hidden_layers", "at least the number of layers listed by kind")
    names = config.texts("architectures")
    return Shape(
        family=config.text("model_type"),
        hidden_size=core.hidden,
        vocab_size=core.vocab,
        layer_count=core.layers,
        max_context_tokens=core.max_context,
        tied_embeddings=core.tied,
        matrices=tuple(m for m in [*embedding(core), *layers] if m.parameters),
        attention=tuple(layer for layer in attention if layer.count),
        recurrent=tuple(layer for layer in recurrent if layer.count),
        experts=tuple(layer for layer in experts if layer.count),
        architecture=names[0] if names else "",
        notes=notes,
    )
