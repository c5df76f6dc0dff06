"""Llama-shaped families: grouped attention, gated MLP, two norms a layer."""

from __future__ import annotations

from planner.models.config import Config
from planner.models.families.windows import attention_layers
from planner.models.layers import Core, Matrices, decoder, gated_mlp, grouped_attention, norm, read_core
from planner.models.shape import Shape


def head_norms(core: Core, copies: int) -> Matrices:
    """One norm for queries and one for keys, shared by the heads of a layer (Qwen3, Gemma 3)."""
    return norm(core.head_dim, 2 * copies, role="qk_norm")


def llama(config: Config) -> Shape:
    """Llama, Mistral, Yi, CodeLlama, DeepSeek-LLM, SmolLM, Granite 3 dense: everything in the Llama mould."""
    core = read_core(config)
    bias = config.flag("attention_bias", False)
    layers = [
        *grouped_attention(core, core.layers, qkv_bias=bias, o_bias=bias),
        *gated_mlp(core.hidden, core.intermediate, core.layers, bias=config.flag("mlp_bias", False)),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    return decoder(config, core, layers, attention=attention_layers(config, core))


def qwen2(config: Config) -> Shape:
    """Qwen2, Qwen2.5 and Qwen1.5: biases on query, key and value."""
    core = read_core(config)
    layers = [
        *grouped_attention(core, core.layers, qkv_bias=True),
        *gated_mlp(core.hidden, core.intermediate, core.layers),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    return decoder(config, core, layers, attention=attention_layers(config, core))


def qwen3(config: Config) -> Shape:
    """Qwen3: no biases, a norm on queries and keys."""
    core = read_core(config)
    bias = config.flag("attention_bias", False)
    layers = [
        *grouped_attention(core, core.layers, qkv_bias=bias, o_bias=bias),
        *head_norms(core, core.layers),
        *gated_mlp(core.hidden, core.intermediate, core.layers),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    return decoder(config, core, layers, attention=attention_layers(config, core))
