"""Gemma 3 and 4: a few full layers among many sliding ones, and in Gemma 4 shared caches and per-layer embeddings."""

from __future__ import annotations

from dataclasses import dataclass, replace

from planner.models.config import Config
from planner.models.families.dense import llama_like, qk_norms
from planner.models.families.sparse import read_experts
from planner.models.families.windows import layer_kinds
from planner.models.layers import (
    Core,
    Matrices,
    decoder,
    dense,
    expert_mlps,
    gated_mlp,
    linear,
    norm,
    read_core,
    vector,
)
from planner.models.shape import AttentionLayers, Shape

# What transformers fills in where config.json is silent (configuration_gemma3.py, configuration_gemma4.py, 5.17.0).
GEMMA3 = {
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "vocab_size": 262_208,
    "max_position_embeddings": 131_072,
    "sliding_window": 4096,
    "sliding_window_pattern": 6,
}
GEMMA4 = {
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "global_head_dim": 512,
    "vocab_size": 262_144,
    "max_position_embeddings": 131_072,
    "sliding_window": 512,
    "hidden_size_per_layer_input": 256,
}


def gemma3(config: Config) -> Shape:
    """Gemma 3: five sliding layers, then a full one; four norms a layer, and norms on queries and keys."""
    config = config.with_defaults(GEMMA3)
    return llama_like(config, tied=True, norms_per_layer=4, qk_norm="per_head_dim")


@dataclass(frozen=True, slots=True)
class Part:
    """`count` layers of one kind, of which the last `shared` read an earlier layer's cache."""

    core: Core
    count: int
    shared: int
    key_is_value: bool = False

    def matrices(self) -> Matrices:
        core, owning = self.core, self.count - self.shared
        queries, keys = core.query_heads * core.head_dim, core.kv_heads * core.head_dim
        return [
            *linear("attention", "q_proj", queries, core.hidden, self.count),
            *linear("attention", "k_proj", keys, core.hidden, owning),
            *linear("attention", "v_proj", keys, core.hidden, 0 if self.key_is_value else owning),
            *linear("attention", "o_proj", core.hidden, queries, self.count),
            *qk_norms(core, owning, "per_head_dim"),
            *norm(core.head_dim, self.shared, role="q_norm"),
        ]

    def attention(self, window_tokens: int | None) -> tuple[AttentionLayers, ...]:
        layers = self.core.full_attention(self.count - self.shared)
        if window_tokens:
            layers = replace(layers, kind="sliding", window_tokens=window_tokens)
        layers = replace(layers, key_is_value=self.key_is_value)
        return layers, replace(layers, count=self.shared, owns_kv=False)


def gemma4(config: Config) -> Shape:
    """Gemma 4: wider heads in the full layers, keys that are values (31B, 26B), shared caches (E2B, E4B)."""
    config = config.with_defaults(GEMMA4)
    core = read_core(config, tied=True)
    full, sliding = _parts(config, core)
    layers = [
        *sliding.matrices(),
        *full.matrices(),
        *_mlps(config, core, full.shared + sliding.shared),
        *norm(core.hidden, 4 * core.layers + 1),
        *_per_layer_embeddings(config, core),
    ]
    window = config.integer("sliding_window")
    attention = (*full.attention(None), *sliding.attention(window))
    if not config.flag("enable_moe_block", False):
        return decoder(config, core, layers, attention=attention)
    experts = read_experts(config, core.layers)
    routed = [
        *expert_mlps(core.hidden, experts),
        *vector("router", "router_scales", core.hidden + experts.experts, core.layers),
        *norm(core.hidden, 3 * core.layers),
    ]
    return decoder(config, core, [*layers, *routed], attention=attention, experts=(experts,))


def _parts(config: Config, core: Core) -> tuple[Part, Part]:
    """The full and the sliding layers; the last `num_kv_shared_layers` of them share caches."""
    kinds = layer_kinds(config, core.layers) or tuple(
        "full_attention" if (layer + 1) % 6 == 0 or layer + 1 == core.layers else "sliding_attention"
        for layer in range(core.layers)
    )
    shared = kinds[core.layers - config.integer("num_kv_shared_layers", default=0, least=0) :]
    same = config.flag("attention_k_eq_v", False)
    kv_heads = config.integer("num_global_key_value_heads", default=core.kv_heads) if same else core.kv_heads
    wide = replace(core, head_dim=config.integer("global_head_dim"), kv_heads=kv_heads)
    full, full_shared = kinds.count("full_attention"), shared.count("full_attention")
    return (
        Part(wide, full, full_shared, key_is_value=same),
        Part(core, core.layers - full, len(shared) - full_shared),
    )


def _mlps(config: Config, core: Core, shared: int) -> Matrices:
    """Layers that own no cache may have an MLP twice as wide."""
    wide = shared if config.flag("use_double_wide_mlp", False) else 0
    return [
        *gated_mlp(core.hidden, core.intermediate, core.layers - wide),
        *gated_mlp(core.hidden, 2 * core.intermediate, wide),
    ]


def _per_layer_embeddings(config: Config, core: Core) -> Matrices:
    """Gemma 4 E2B and E4B look up a small vector for every layer and token; engines may keep the table off the GPU."""
    width = config.integer("hidden_size_per_layer_input", default=0, least=0)
    vocab = config.integer("vocab_size_per_layer_input", default=core.vocab)
    if not width:
        return []
    return [
        *dense("embedding", "embed_tokens_per_layer", vocab, core.layers * width),
        *dense("other", "per_layer_model_projection", core.layers * width, core.hidden),
        *linear("other", "per_layer_input_gate", width, core.hidden, core.layers),
        *linear("other", "per_layer_projection", core.hidden, width, core.layers),
        *norm(core.hidden, core.layers),
        *norm(width, 1),
    ]
