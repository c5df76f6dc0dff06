"""Families older than Llama: layer norms with biases, an MLP without a gate, sometimes learned positions."""

from __future__ import annotations

from dataclasses import replace

from planner.models.config import Config
from planner.models.families.windows import attention_layers
from planner.models.layers import (
    Core,
    Matrices,
    decoder,
    dense,
    grouped_attention,
    norm,
    plain_mlp,
    read_core,
    vector,
)
from planner.models.shape import Shape


def classic_layers(core: Core, *, qkv_bias: bool = True, o_bias: bool = True, mlp_bias: bool = True) -> Matrices:
    return [
        *grouped_attention(core, core.layers, qkv_bias=qkv_bias, o_bias=o_bias),
        *plain_mlp(core.hidden, core.intermediate, core.layers, bias=mlp_bias),
    ]


def gpt2(config: Config) -> Shape:
    core = read_core(config.with_defaults({"intermediate_size": config.values.get("n_inner")}), tied=True)
    layers = [*classic_layers(core), *norm(core.hidden, 2 * core.layers + 1, bias=True)]
    positions = dense("embedding", "embed_positions", core.max_context, core.hidden)
    return decoder(config, core, [*positions, *layers], attention=(core.full_attention(),))


def gpt_bigcode(config: Config) -> Shape:
    """StarCoder and SantaCoder: GPT-2 with one shared key-value head."""
    config = config.with_defaults({"intermediate_size": config.values.get("n_inner")})
    core = read_core(config, tied=True)
    core = replace(core, kv_heads=1) if config.flag("multi_query", True) else core
    layers = [*classic_layers(core), *norm(core.hidden, 2 * core.layers + 1, bias=True)]
    positions = dense("embedding", "embed_positions", core.max_context, core.hidden)
    return decoder(config, core, [*positions, *layers], attention=(core.full_attention(),))


def opt(config: Config) -> Shape:
    """Learned positions begin at 2; OPT-350m embeds in fewer dimensions and projects up."""
    config = config.with_defaults({"intermediate_size": config.values.get("ffn_dim")})
    core = read_core(config, tied=True)
    width = config.integer("word_embed_proj_dim", default=core.hidden)
    final_norm = 1 if config.flag("do_layer_norm_before", True) else 0
    layers = [
        *dense("embedding", "embed_positions", core.max_context + 2, core.hidden),
        *(dense("embedding", "project_in_out", core.hidden, 2 * width) if width != core.hidden else []),
        *classic_layers(core),
        *norm(core.hidden, 2 * core.layers + final_norm, bias=True),
    ]
    shape = decoder(config, core, layers, attention=(core.full_attention(),))
    narrow = tuple(replace(m, columns=width) if m.role == "embed_tokens" else m for m in shape.matrices)
    return replace(shape, matrices=narrow)


def gpt_neox(config: Config) -> Shape:
    """GPT-NeoX and Pythia."""
    core = read_core(config)
    bias = config.flag("attention_bias", True)
    layers = [
        *classic_layers(core, qkv_bias=bias, o_bias=bias),
        *norm(core.hidden, 2 * core.layers + 1, bias=True),
    ]
    return decoder(config, core, layers, attention=(core.full_attention(),))


def gptj(config: Config) -> Shape:
    core = read_core(config)
    layers = [
        *vector("head", "lm_head_bias", core.vocab, 1),
        *classic_layers(core, qkv_bias=False, o_bias=False),
        *norm(core.hidden, core.layers + 1, bias=True),
    ]
    return decoder(config, core, layers, attention=(core.full_attention(),))


def phi(config: Config) -> Shape:
    """Phi-1, 1.5 and 2: attention and MLP side by side behind one norm, a bias on everything."""
    core = read_core(config)
    layers = [
        *vector("head", "lm_head_bias", core.vocab, 1),
        *classic_layers(core),
        *norm(core.hidden, core.layers + 1, bias=True),
    ]
    return decoder(config, core, layers, attention=(core.full_attention(),))


def starcoder2(config: Config) -> Shape:
    core = read_core(config, tied=True)
    bias = config.flag("use_bias", True)
    layers = [
        *classic_layers(core, qkv_bias=bias, o_bias=bias, mlp_bias=bias),
        *norm(core.hidden, 2 * core.layers + 1, bias=True),
    ]
    return decoder(config, core, layers, attention=attention_layers(config, core))


def falcon(config: Config) -> Shape:
    """Falcon 7B shares one key-value head; the new architecture (40B, 180B, Falcon 2) groups heads."""
    grouped = config.flag("new_decoder_architecture", False)
    heads = config.integer("num_attention_heads", "n_head")
    kv_heads = config.integer("num_kv_heads", "n_head_kv", default=heads) if grouped else heads
    if not grouped and config.flag("multi_query", True):
        kv_heads = 1
    config = config.with_defaults({"intermediate_size": config.values.get("ffn_hidden_size")})
    core = replace(read_core(config, tied=True), kv_heads=kv_heads)
    bias = config.flag("bias", False)
    parallel = config.flag("parallel_attn", True)
    two_norms = not parallel or (grouped and config.integer("num_ln_in_parallel_attn", default=2) == 2)
    layers = [
        *classic_layers(core, qkv_bias=bias, o_bias=bias, mlp_bias=bias),
        *norm(core.hidden, (2 if two_norms else 1) * core.layers + 1, bias=True),
    ]
    return decoder(config, core, layers, attention=(core.full_attention(),))


def mpt(config: Config) -> Shape:
    """MPT: no biases anywhere, ALiBi instead of positions."""
    width = config.integer("d_model") * config.integer("expansion_ratio", default=4)
    core = read_core(config.with_defaults({"intermediate_size": width}), tied=True)
    layers = [
        *classic_layers(core, qkv_bias=False, o_bias=False, mlp_bias=False),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    return decoder(config, core, layers, attention=(core.full_attention(),))


def bloom(config: Config) -> Shape:
    """BLOOM: a norm on the embedding, ALiBi instead of positions."""
    core = read_core(config, tied=True)
    layers = [*classic_layers(core), *norm(core.hidden, 2 * core.layers + 2, bias=True)]
    return decoder(config, core, layers, attention=(core.full_attention(),))
