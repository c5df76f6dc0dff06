"""Mixture-of-experts families with ordinary attention."""

from __future__ import annotations

from planner.models.config import Config
from planner.models.families.dense import QkNorm, qk_norms
from planner.models.families.windows import attention_layers
from planner.models.layers import (
    Core,
    Matrices,
    decoder,
    dense,
    expert_mlps,
    gated_mlp,
    grouped_attention,
    norm,
    read_core,
    routed_experts,
    vector,
)
from planner.models.shape import ExpertLayers, Shape


def read_experts(config: Config, count: int, *, width: str = "moe_intermediate_size", shared: int = 0) -> ExpertLayers:
    """The routed experts of `count` layers: `width` is the key of an expert's width, `shared` the width always on."""
    experts = config.integer("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
    per_token = config.integer("num_experts_per_tok", "num_experts_per_token", "moe_k", "top_k_experts")
    if per_token > experts:
        raise config.wrong("num_experts_per_tok", f"at most the number of experts ({experts})")
    return ExpertLayers(count, experts, per_token, config.integer(width), shared)


def sparse_decoder(
    config: Config,
    core: Core,
    experts: ExpertLayers,
    mlps: Matrices,
    *,
    qkv_bias: bool = False,
    o_bias: bool = False,
    qk_norm: QkNorm = "none",
    norm_bias: bool = False,
) -> Shape:
    """Grouped attention and `mlps` in every layer; layers that are not routed have an ordinary gated MLP."""
    layers = [
        *grouped_attention(core, core.layers, qkv_bias=qkv_bias, o_bias=o_bias),
        *qk_norms(core, core.layers, qk_norm),
        *gated_mlp(core.hidden, core.intermediate, core.layers - experts.count),
        *mlps,
        *norm(core.hidden, 2 * core.layers + 1, bias=norm_bias),
    ]
    return decoder(config, core, layers, attention=attention_layers(config, core), experts=(experts,))


def mixtral(config: Config) -> Shape:
    core = read_core(config)
    experts = read_experts(config, core.layers, width="intermediate_size")
    return sparse_decoder(config, core, experts, expert_mlps(core.hidden, experts))


def aria_text(config: Config) -> Shape:
    """Aria: experts as wide as `intermediate_size`, some of them always on."""
    core = read_core(config)
    shared = core.intermediate * config.integer("moe_num_shared_experts", default=2, least=0)
    config = config.with_defaults({"num_experts_per_tok": config.values.get("moe_topk")})
    experts = read_experts(config, core.layers, width="intermediate_size", shared=shared)
    return sparse_decoder(config, core, experts, expert_mlps(core.hidden, experts))


def granitemoe(config: Config) -> Shape:
    """Granite 3 MoE; the shared expert came with a later variant."""
    core = read_core(config)
    shared = config.integer("shared_intermediate_size", default=0, least=0)
    experts = read_experts(config, core.layers, width="intermediate_size", shared=shared)
    return sparse_decoder(config, core, experts, expert_mlps(core.hidden, experts))


def routed_layers(config: Config, layers: int) -> int:
    """Layers with experts among `layers`: every `decoder_sparse_step`-th, less those of `mlp_only_layers`."""
    step = config.integer("decoder_sparse_step", default=1)
    plain = set(config.integers("mlp_only_layers"))
    return sum(layer not in plain and (layer + 1) % step == 0 for layer in range(layers))


def qwen2_moe(config: Config) -> Shape:
    """Qwen1.5-MoE and Qwen2-57B-A14B: a shared expert behind a gate of its own."""
    core = read_core(config)
    shared = config.integer("shared_expert_intermediate_size")
    experts = read_experts(config, routed_layers(config, core.layers), shared=shared)
    gate = dense("router", "shared_expert_gate", 1, core.hidden, experts.count)
    return sparse_decoder(config, core, experts, [*expert_mlps(core.hidden, experts), *gate], qkv_bias=True)


def qwen3_moe(config: Config) -> Shape:
    core = read_core(config)
    experts = read_experts(config, routed_layers(config, core.layers))
    return sparse_decoder(config, core, experts, expert_mlps(core.hidden, experts), qk_norm="per_head_dim")


def olmoe(config: Config) -> Shape:
    core = read_core(config)
    experts = read_experts(config, core.layers, width="intermediate_size")
    return sparse_decoder(config, core, experts, expert_mlps(core.hidden, experts), qk_norm="per_layer")


def phimoe(config: Config) -> Shape:
    """Phi-3.5-MoE: layer norms and biases, one on the head too."""
    core = read_core(config)
    experts = read_experts(config, core.layers, width="intermediate_size")
    bias = config.flag("attention_bias", False)
    head_bias = vector("head", "lm_head_bias", core.vocab, 1) if config.flag("lm_head_bias", False) else []
    mlps = [*head_bias, *expert_mlps(core.hidden, experts)]
    return sparse_decoder(config, core, experts, mlps, qkv_bias=bias, o_bias=bias, norm_bias=True)


def gpt_oss(config: Config) -> Shape:
    """gpt-oss: biases on experts and router, one attention sink a head; sliding and full layers alternate."""
    config = config.with_defaults({"sliding_window_pattern": 2})
    core = read_core(config)
    experts = read_experts(config, core.layers, width="intermediate_size")
    mlps = [
        *vector("attention", "sinks", core.query_heads, core.layers),
        *routed_experts(core.hidden, experts, bias=True, router_bias=True),
    ]
    return sparse_decoder(config, core, experts, mlps, qkv_bias=True, o_bias=True)


def minimax_m2(config: Config) -> Shape:
    core = read_core(config)
    experts = read_experts(config, core.layers, width="intermediate_size")
    qk_norm: QkNorm = "per_layer" if config.flag("use_qk_norm", True) else "none"
    return sparse_decoder(config, core, experts, expert_mlps(core.hidden, experts), qk_norm=qk_norm)
