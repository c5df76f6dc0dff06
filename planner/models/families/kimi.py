"""Kimi Linear and Kimi K3: three layers of Kimi delta attention (KDA), then one of latent attention."""

from __future__ import annotations

from dataclasses import replace

from planner.models.config import Config
from planner.models.families.latent import READ_FROM_VLLM, latent_attention, latent_projections
from planner.models.families.merging_towers import moonvit_3d_tower
from planner.models.families.multimodal import seeing, text_section
from planner.models.families.sparse import read_experts
from planner.models.families.windows import attention_count
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
    routed_experts,
    shared_expert,
)
from planner.models.recurrent import DeltaNet
from planner.models.shape import ExpertLayers, Shape


def kimi_linear(config: Config) -> Shape:
    """The decoder of both, the first layer dense, the rest routed.

    Kimi K3's has output gates of full rank, experts that work on a projection, and learned weights for its residuals.
    """
    config = config.with_defaults({"head_dim": 1})
    core = read_core(config)
    delta, kda = read_kda(config, core)
    latent = latent_attention(config, core, core.layers - kda)
    routed = core.layers - min(core.layers, config.integer("first_k_dense_replace", default=1, least=0))
    shared = config.integer("moe_intermediate_size") * config.integer("num_shared_experts", default=1, least=0)
    experts = read_experts(config, routed, shared=shared)
    section = config.section("linear_attn_config")
    full_rank = section.flag("use_full_rank_gate", False)
    gate = core.query_heads * latent.value_head_dim if config.flag("mla_use_output_gate", False) else 0
    layers = [
        *latent_projections(config, core, latent),
        *linear("attention", "g_proj", gate, core.hidden, latent.count),
        *delta.kda_matrices(core.hidden, kda, full_rank_gate=full_rank),
        *gated_mlp(core.hidden, core.intermediate, core.layers - routed),
        *kimi_experts(config, core, experts),
        *(residual_attention(core) if config.has("attn_res_block_size") else []),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    state = delta.layers(kda, "bounded_kda" if section.has("gate_lower_bound") else "kda")
    return decoder(config, core, layers, attention=(latent,), recurrent=(state,), experts=(experts,))


def read_kda(config: Config, core: Core) -> tuple[DeltaNet, int]:
    """The delta net and how many layers have it: in a section of its own, or flat with a list of layer kinds."""
    section = config.section("linear_attn_config")
    own = section.has("kda_layers")
    count = len(section.integers("kda_layers")) if own else core.layers - attention_count(config, core.layers)
    heads = section.integer("num_heads") if own else config.integer("linear_num_heads")
    width = section.integer("head_dim") if own else config.integer("linear_head_dim")
    return DeltaNet(heads, heads, width, width, section.integer("short_conv_kernel_size", default=4)), count


def kimi_experts(config: Config, core: Core, experts: ExpertLayers) -> Matrices:
    """Experts as wide as the decoder, or (`routed_expert_hidden_size`) on a narrower projection all of them share."""
    inner = config.integer("routed_expert_hidden_size", default=0, least=0)
    if not inner:
        return expert_mlps(core.hidden, experts)
    own_norm = inner if config.flag("latent_moe_use_norm", False) else 0
    return [
        *linear("experts", "routed_down_proj", inner, core.hidden, experts.count),
        *norm(own_norm, experts.count, role="routed_norm"),
        *linear("experts", "routed_up_proj", core.hidden, inner, experts.count),
        *routed_experts(core.hidden, experts, expert_hidden=inner),
        *shared_expert(core.hidden, experts),
    ]


def residual_attention(core: Core) -> Matrices:
    """Attention over earlier layers' residuals: a norm and a query before each half of a layer, and at the end."""
    places = 2 * core.layers + 1
    return [*norm(core.hidden, places, role="residual_norm"), *dense("other", "residual_query", 1, core.hidden, places)]


def kimi_k3(config: Config) -> Shape:
    """Kimi K3 with its vision tower."""
    text = kimi_linear(text_section(config))
    tower = moonvit_3d_tower(config.section("vision_config"), text.hidden_size) if config.has("vision_config") else []
    return replace(seeing(config, text, tower), notes=(READ_FROM_VLLM,))
