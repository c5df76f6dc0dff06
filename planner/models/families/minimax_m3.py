"""MiniMax M3: grouped attention that picks blocks of tokens, experts, and a vision tower."""

from __future__ import annotations

from dataclasses import replace

from planner.models.config import Config
from planner.models.families.dense import qk_norms
from planner.models.families.latent import READ_FROM_VLLM
from planner.models.families.multimodal import seeing, text_section
from planner.models.families.sparse import read_experts
from planner.models.families.vision import as_vision, patches, tower
from planner.models.families.windows import layer_kinds
from planner.models.layers import (
    Core,
    Matrices,
    decoder,
    expert_mlps,
    gated_mlp,
    grouped_attention,
    linear,
    norm,
    read_core,
)
from planner.models.shape import Shape

# An indexer keeps one BF16 key for each token (vllm/models/minimax_m3/common/indexer.py at 0.32).
INDEX_KEY_BYTES = 2


def minimax_m3(config: Config) -> Shape:
    """MiniMax M3 with its tower; its text section calls itself by an older family's name."""
    text = minimax_m3_text(text_section(config))
    tower_width = config.integer("projector_hidden_size", default=text.hidden_size)
    vision = config.section("vision_config")
    return seeing(config, text, m3_tower(vision, text.hidden_size, tower_width) if vision.values else [])


def minimax_m3_text(config: Config) -> Shape:
    """The decoder; dense layers are `dense_intermediate_size` wide, experts `intermediate_size`."""
    core = read_core(config)
    shared = config.integer("shared_intermediate_size") * config.integer("n_shared_experts", default=1, least=0)
    routed = layers_marked(config, core, "mlp_layer_types", "sparse", config.integers("moe_layer_freq"))
    experts = read_experts(config, routed, width="intermediate_size", shared=shared)
    sparse_config = config.section("sparse_attention_config")
    sparse = layers_marked(
        config, core, "layer_types", "minimax_m3_sparse", sparse_config.integers("sparse_attention_freq")
    )
    names = {"index_head_dim": "sparse_index_dim", "index_n_heads": "sparse_num_index_heads"}
    index = config.with_defaults({key: sparse_config.values.get(name) for key, name in names.items()})
    width = index.integer("index_head_dim", default=128)
    layers = [
        *grouped_attention(core, core.layers),
        *qk_norms(core, core.layers, "per_head_dim"),
        *block_indexer(core, index.integer("index_n_heads", default=4), width, sparse),
        *gated_mlp(core.hidden, config.integer("dense_intermediate_size"), core.layers - routed),
        *expert_mlps(core.hidden, experts),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    whole = core.full_attention(core.layers - sparse)
    picking = replace(whole, count=sparse, indexer_bytes_per_token=width * INDEX_KEY_BYTES, is_sparse=True)
    return decoder(config, core, layers, attention=(whole, picking), experts=(experts,), notes=(READ_FROM_VLLM,))


def layers_marked(config: Config, core: Core, key: str, kind: str, marks: tuple[int, ...]) -> int:
    """How many layers are of a kind: named in a list, else marked with a 1 in an older one.

    Raises BadInput where neither is there: the defaults of the two configurations differ.
    """
    kinds = layer_kinds(config, core.layers, key)
    if not kinds and len(marks) != core.layers:
        config.missing(key)
    return kinds.count(kind) if kinds else sum(marks)


def block_indexer(core: Core, heads: int, width: int, copies: int) -> Matrices:
    """The small scorer that picks blocks of tokens: its queries are split like keys, its one key is not."""
    return [
        *linear("attention", "block_indexer_q_proj", heads * width, core.hidden, copies),
        *linear("attention", "indexer_k_proj", width, core.hidden, copies),
        *norm(width, 2 * copies, role="indexer_norm"),
    ]


def m3_tower(config: Config, text_hidden: int, projector: int) -> Matrices:
    """CLIP's layers on patches of two frames; every patch is projected first, then four are joined."""
    hidden, width = config.integer("hidden_size", default=1280), config.integer("intermediate_size", default=5120)
    joined = text_hidden * config.integer("spatial_merge_size", default=2) ** 2
    return as_vision(
        [
            *patches(config, hidden, frames=config.integer("temporal_patch_size", default=2)),
            *norm(hidden, 1, bias=True),
            *tower(
                hidden,
                width,
                config.integer("num_hidden_layers", default=32),
                gated=False,
                bias=True,
                norm_bias=True,
            ),
            *linear("other", "projector_fc1", projector, hidden, 1, bias=True),
            *linear("other", "projector_fc2", text_hidden, projector, 1, bias=True),
            *linear("other", "merger_fc1", projector, joined, 1, bias=True),
            *linear("other", "merger_fc2", text_hidden, projector, 1, bias=True),
        ]
    )
