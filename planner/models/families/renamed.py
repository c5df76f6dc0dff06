"""Families that are another one under other key names, or differ from it in a bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from planner.models.config import Config
from planner.models.families.dense import llama_like
from planner.models.families.encoders import bert, reading
from planner.models.families.latent import deepseek
from planner.models.families.sparse import mixtral
from planner.models.layers import decoder, dense, gated_mlp, grouped_attention, norm, plain_mlp, read_core, vector
from planner.models.shape import Shape


def renamed(config: Config, names: Mapping[str, str]) -> Config:
    """The config with the right-hand keys also under the left-hand names."""
    return config.with_defaults({ours: config.values[theirs] for ours, theirs in names.items() if config.has(theirs)})


def internlm(config: Config) -> Shape:
    """InternLM 1: a Llama with biases on all four projections."""
    bias = config.flag("bias", True)
    return llama_like(config, qkv_bias=bias, o_bias=bias)


def phi3small(config: Config) -> Shape:
    """Phi-3-small: gated GELU under `ff_intermediate_size`, biases and layer norms."""
    config = renamed(config, {"intermediate_size": "ff_intermediate_size"})
    return llama_like(config.with_defaults({"mlp_bias": True}), tied=True, qkv_bias=True, o_bias=True, norm_bias=True)


def orion(config: Config) -> Shape:
    return llama_like(config, norm_bias=True)


def persimmon(config: Config) -> Shape:
    """Persimmon and Fuyu: squared ReLU without a gate, biases, and norms on queries and keys of a head."""
    core = read_core(config)
    layers = [
        *grouped_attention(core, core.layers, qkv_bias=True, o_bias=True),
        *norm(core.head_dim, 2 * core.layers, role="qk_norm", bias=True),
        *plain_mlp(core.hidden, core.intermediate, core.layers, bias=True),
        *norm(core.hidden, 2 * core.layers + 1, bias=True),
    ]
    return decoder(config, core, layers, attention=(core.full_attention(),))


def jais(config: Config) -> Shape:
    """Jais: GPT-2's layout with a gated MLP (`n_inner`) and ALiBi instead of positions."""
    core = read_core(renamed(config, {"intermediate_size": "n_inner"}), tied=True)
    layers = [
        *grouped_attention(core, core.layers, qkv_bias=True, o_bias=True),
        *gated_mlp(core.hidden, core.intermediate, core.layers, bias=True),
        *norm(core.hidden, 2 * core.layers + 1, bias=True),
    ]
    return decoder(config, core, layers, attention=(core.full_attention(),))


def bitnet(config: Config) -> Shape:
    """BitNet b1.58: a norm more before the output and the down projection."""
    shape = llama_like(config)
    width = config.integer("intermediate_size")
    inner = norm(shape.hidden_size + width, shape.layer_count, role="sub_norm")
    return replace(shape, matrices=(*shape.matrices, *inner))


def arctic(config: Config) -> Shape:
    """Arctic: a dense MLP as wide as the hidden state beside the experts of every layer."""
    shape = mixtral(config)
    residual = gated_mlp(shape.hidden_size, shape.hidden_size, shape.layer_count)
    return replace(shape, matrices=(*shape.matrices, *residual))


def distilbert(config: Config) -> Shape:
    """DistilBERT: no token types, no pooler."""
    names = {"hidden_size": "dim", "num_hidden_layers": "n_layers", "intermediate_size": "hidden_dim"}
    shape = bert(renamed(config, names).with_defaults({"type_vocab_size": 0}))
    return replace(shape, matrices=tuple(m for m in shape.matrices if not m.role.startswith("pooler")))


def gte(config: Config) -> Shape:
    """GTE 1.5 and Snowflake Arctic Embed 2 (`new`, `gte`): rotary positions, gated MLP, biases but on gate and up."""
    core = replace(read_core(config, tied=True), tied=True)
    layers = [
        *dense("embedding", "embed_token_types", config.integer("type_vocab_size", default=1, least=0), core.hidden),
        *grouped_attention(core, core.layers, qkv_bias=True, o_bias=True),
        *gated_mlp(core.hidden, core.intermediate, core.layers),
        *norm(core.hidden, 2 * core.layers + 1, bias=True),
    ]
    return decoder(config, core, layers, attention=(reading(core),))


def bailing_moe(config: Config) -> Shape:
    """Ling and Ring: DeepSeekMoE's layout with grouped attention."""
    from planner.models.families.partly_sparse import glm4_moe

    names = {"n_shared_experts": "num_shared_experts", "attention_bias": "use_qkv_bias"}
    return glm4_moe(renamed(config, names))


def longcat_flash(config: Config) -> Shape:
    """LongCat-Flash: two MLA blocks and two dense MLPs around the experts of each layer."""
    names = {
        "num_hidden_layers": "num_layers",
        "intermediate_size": "ffn_hidden_size",
        "moe_intermediate_size": "expert_ffn_hidden_size",
        "num_experts_per_tok": "moe_topk",
    }
    config = renamed(config, names).with_defaults({"first_k_dense_replace": 0})
    shape = deepseek(config)
    layers = shape.layer_count
    twice = {"attention", "norms"}
    matrices = tuple(
        replace(m, copies=2 * m.copies) if m.component in twice and m.copies >= layers else m for m in shape.matrices
    )
    mlps = gated_mlp(shape.hidden_size, config.integer("intermediate_size"), 2 * layers)
    attention = tuple(replace(part, count=2 * part.count) for part in shape.attention)
    return replace(shape, matrices=(*matrices, *mlps), attention=attention)


def hyperclovax(config: Config) -> Shape:
    """HyperCLOVA X: a Llama, with a norm after each block as well where `use_post_norm`."""
    return llama_like(config, norms_per_layer=4 if config.flag("use_post_norm", False) else 2)


def granite_swa(config: Config) -> Shape:
    """Granite with sliding windows: a Llama with an attention sink for each head."""
    shape = llama_like(config)
    sinks = vector("attention", "sinks", shape.attention[0].query_heads, shape.layer_count)
    return replace(shape, matrices=(*shape.matrices, *sinks))


def axk1(config: Config) -> Shape:
    """A.X K1: DeepSeek V3 with a norm after the experts."""
    shape = deepseek(config)
    after = norm(shape.hidden_size, sum(layers.count for layers in shape.experts))
    return replace(shape, matrices=(*shape.matrices, *after))
