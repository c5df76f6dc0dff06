"""Encoders for embedding and ranking: no head, no KV cache."""

from __future__ import annotations

from dataclasses import replace

from planner.models.config import Config
from planner.models.layers import (
    Core,
    decoder,
    dense,
    gated_mlp,
    grouped_attention,
    linear,
    norm,
    plain_mlp,
    read_core,
)
from planner.models.shape import AttentionLayers, Shape

NO_CACHE = "an encoder: it keeps no KV cache"


def reading(core: Core) -> AttentionLayers:
    """Attention in both directions: nothing is kept for a next token."""
    return replace(core.full_attention(), kind="encoder", owns_kv=False)


def bert(config: Config) -> Shape:
    """BERT, RoBERTa, XLM-RoBERTa and the embedding models made of them, without a language-model head."""
    core = read_core(config, tied=True)
    positions = config.integer("max_position_embeddings", default=512)
    types = config.integer("type_vocab_size", default=2, least=0)
    pooler = linear("other", "pooler", core.hidden, core.hidden, 1, bias=True)
    layers = [
        *dense("embedding", "embed_positions", positions + types, core.hidden),
        *grouped_attention(core, core.layers, qkv_bias=True, o_bias=True),
        *plain_mlp(core.hidden, core.intermediate, core.layers, bias=True),
        *norm(core.hidden, 2 * core.layers + 1, bias=True),
        *(replace(m, quantizable=False) for m in pooler),
    ]
    return decoder(config, replace(core, tied=True), layers, attention=(reading(core),), notes=(NO_CACHE,))


def modernbert(config: Config) -> Shape:
    """ModernBERT: gated MLP, no biases; the first layer has no norm before its attention."""
    core = replace(read_core(config, tied=True), tied=True)
    layers = [
        *grouped_attention(core, core.layers),
        *gated_mlp(core.hidden, core.intermediate, core.layers),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    return decoder(config, core, layers, attention=(reading(core),), notes=(NO_CACHE,))


def nomic_bert(config: Config) -> Shape:
    """Nomic Embed: rotary positions, gated MLP (its width under `n_inner`), no biases on linear layers."""
    config = config.with_defaults({"intermediate_size": config.values.get("n_inner")})
    core = replace(read_core(config, tied=True), tied=True)
    layers = [
        *dense("embedding", "embed_token_types", config.integer("type_vocab_size", default=2), core.hidden),
        *grouped_attention(core, core.layers),
        *gated_mlp(core.hidden, core.intermediate, core.layers),
        *norm(core.hidden, 2 * core.layers + 1, bias=True),
    ]
    return decoder(config, core, layers, attention=(reading(core),), notes=(NO_CACHE,))
