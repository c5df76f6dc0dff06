"""Llama-shaped families: grouped attention, a gated MLP, RMS norms. Each differs in a few facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from planner.models.config import Config
from planner.models.families.windows import attention_layers
from planner.models.layers import (
    Core,
    Matrices,
    decoder,
    gated_mlp,
    grouped_attention,
    norm,
    plain_mlp,
    read_core,
    vector,
)
from planner.models.shape import Shape

QkNorm = Literal["none", "per_head_dim", "per_layer", "per_head"]


def qk_norms(core: Core, copies: int, kind: QkNorm) -> Matrices:
    """Norms on queries and keys: one vector shared by all heads, one over all of them, or one for each head."""
    lengths = {"none": 0, "per_head_dim": 2 * core.head_dim}
    everything = (core.query_heads + core.kv_heads) * core.head_dim
    return norm(lengths.get(kind, everything), copies, role="qk_norm")


def llama_like(
    config: Config,
    *,
    tied: bool = False,
    qkv_bias: bool | None = None,
    o_bias: bool | None = None,
    qk_norm: QkNorm = "none",
    norms_per_layer: int = 2,
    norm_bias: bool = False,
    final_norm: bool = True,
    gated: bool = True,
) -> Shape:
    """A dense decoder in the Llama mould; biases left as None follow the config's `attention_bias`."""
    core = read_core(config, tied=tied)
    bias, mlp_bias = config.flag("attention_bias", False), config.flag("mlp_bias", False)
    mlp = gated_mlp if gated else plain_mlp
    layers = [
        *grouped_attention(
            core,
            core.layers,
            qkv_bias=bias if qkv_bias is None else qkv_bias,
            o_bias=bias if o_bias is None else o_bias,
        ),
        *qk_norms(core, core.layers, qk_norm),
        *mlp(core.hidden, core.intermediate, core.layers, bias=mlp_bias),
        *norm(core.hidden, norms_per_layer * core.layers + final_norm, bias=norm_bias),
    ]
    return decoder(config, core, layers, attention=attention_layers(config, core))


def llama(config: Config) -> Shape:
    """Llama, Yi, CodeLlama, DeepSeek-LLM, SmolLM, Mistral, Granite 3, Phi-3: the mould itself."""
    return llama_like(config)


def qwen2(config: Config) -> Shape:
    return llama_like(config, qkv_bias=True, o_bias=False)


def qwen3(config: Config) -> Shape:
    return llama_like(config, qk_norm="per_head_dim")


def gemma(config: Config) -> Shape:
    return llama_like(config, tied=True)


def gemma2(config: Config) -> Shape:
    """Sliding and full layers alternate; a norm before and after each block."""
    config = config.with_defaults({"sliding_window": 4096, "sliding_window_pattern": 2})
    return llama_like(config, tied=True, norms_per_layer=4)


def glm(config: Config) -> Shape:
    return llama_like(config, qkv_bias=config.flag("attention_bias", True), o_bias=False)


def glm4(config: Config) -> Shape:
    return llama_like(config, qkv_bias=config.flag("attention_bias", True), o_bias=False, norms_per_layer=4)


def cohere(config: Config) -> Shape:
    """Command R: attention and MLP run side by side behind one norm."""
    return llama_like(
        config, tied=True, norms_per_layer=1, qk_norm="per_head" if config.flag("use_qk_norm", False) else "none"
    )


def cohere2(config: Config) -> Shape:
    """Command R7B and Command A: three sliding layers, then a full one."""
    config = config.with_defaults({"sliding_window": 4096, "sliding_window_pattern": 4})
    return llama_like(config, tied=True, norms_per_layer=1)


def olmo(config: Config) -> Shape:
    """The first OLMo: its norms have no weights."""
    return llama_like(config, norms_per_layer=0, final_norm=False)


def olmo2(config: Config) -> Shape:
    return llama_like(config, qk_norm="per_layer")


def olmo3(config: Config) -> Shape:
    return llama_like(config.with_defaults({"sliding_window_pattern": 4}), qk_norm="per_layer")


def hunyuan(config: Config) -> Shape:
    return llama_like(config, tied=True, qk_norm="per_head_dim" if config.flag("use_qk_norm", True) else "none")


def exaone4(config: Config) -> Shape:
    return llama_like(config, qk_norm="per_head_dim")


def qwen(config: Config) -> Shape:
    """The first Qwen: its `intermediate_size` counts gate and up together."""
    both = config.integer("intermediate_size")
    config = Config({**config.values, "intermediate_size": both // 2, "attention_bias": False}, config.where)
    return llama_like(config, qkv_bias=True, o_bias=False)


def chatglm(config: Config) -> Shape:
    """ChatGLM2, ChatGLM3 and the first GLM-4: Megatron's names for a GLM."""
    renamed = {
        "intermediate_size": config.values.get("ffn_hidden_size"),
        "vocab_size": config.values.get("padded_vocab_size"),
        "head_dim": config.values.get("kv_channels"),
        "max_position_embeddings": config.values.get("seq_length"),
    }
    if config.flag("multi_query_attention", False):
        renamed["num_key_value_heads"] = config.integer("multi_query_group_num")
    qkv_bias = config.flag("add_qkv_bias", True)
    return llama_like(config.with_defaults(renamed), qkv_bias=qkv_bias, o_bias=False)


def seed_oss(config: Config) -> Shape:
    qkv_bias, o_bias = config.flag("attention_bias", True), config.flag("attention_out_bias", False)
    return llama_like(config, qkv_bias=qkv_bias, o_bias=o_bias)


def stablelm(config: Config) -> Shape:
    return llama_like(
        config,
        qkv_bias=config.flag("use_qkv_bias", False),
        o_bias=False,
        qk_norm="per_head" if config.flag("qk_layernorm", False) else "none",
        norms_per_layer=1 if config.flag("use_parallel_residual", False) else 2,
        norm_bias=True,
    )


def nemotron(config: Config) -> Shape:
    """Nemotron-4 and Minitron: squared ReLU without a gate, norms with a bias."""
    return llama_like(config, norm_bias=True, gated=False)


def arcee(config: Config) -> Shape:
    return llama_like(config, gated=False)


def apertus(config: Config) -> Shape:
    """Apertus: an activation (xIELU) with two learned numbers a layer in place of the gate."""
    shape = llama_like(config, gated=False, qk_norm="per_head_dim")
    xielu = vector("mlp", "xielu", 2, shape.layer_count)
    return replace(shape, matrices=(*shape.matrices, *xielu))
