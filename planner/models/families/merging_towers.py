"""Towers that hand over joined or pooled patches: Gemma, Qwen-VL and Kimi."""

from __future__ import annotations

import math

from planner.models.config import Config
from planner.models.families.vision import as_vision, merger, patches, tower
from planner.models.layers import Matrices, dense, linear, norm, plain_mlp


def siglip_tower(config: Config, text_hidden: int) -> Matrices:
    """SigLIP as Gemma 3 has it: learned positions, no pooling head, one projection into the decoder."""
    hidden = config.integer("hidden_size", default=768)
    side = config.integer("image_size", default=224) // config.integer("patch_size", default=16)
    layers, width = config.integer("num_hidden_layers", default=12), config.integer("intermediate_size", default=3072)
    return as_vision(
        [
            *patches(config, hidden, bias=True),
            *dense("vision", "positions", side * side, hidden),
            *tower(hidden, width, layers, gated=False, bias=True, norm_bias=True),
            *norm(hidden, 1, bias=True),
            *dense("vision", "projector", hidden, text_hidden),
            *norm(hidden, 1),
        ]
    )


def gemma4_tower(config: Config, text_hidden: int) -> Matrices:
    """Gemma 4: gated MLPs, four norms a layer, norms on queries and keys, a table of positions for each axis."""
    hidden, width = config.integer("hidden_size", default=768), config.integer("intermediate_size", default=3072)
    layers, head_dim = config.integer("num_hidden_layers", default=16), config.integer("head_dim", default=64)
    return as_vision(
        [
            *patches(config.with_defaults({"patch_size": 16}), hidden),
            *dense("vision", "positions", 2 * config.integer("position_embedding_size", default=10_240), hidden),
            *tower(hidden, width, layers, gated=True, bias=False, norm_bias=False),
            *norm(hidden, 2 * layers),
            *norm(head_dim, 2 * layers, role="qk_norm"),
            *dense("vision", "projector", text_hidden, hidden),
        ]
    )


def gemma4_unified_embedder(config: Config, text_hidden: int) -> Matrices:
    """Gemma 4 12B: joined patches through one layer, a table of positions for each axis, a projection."""
    side = config.integer("patch_size", default=16) * config.integer("pooling_kernel_size", default=3)
    pixels, width = 3 * side * side, config.integer("mm_embed_dim", default=3840)
    return as_vision(
        [
            *linear("other", "patch_dense", width, pixels, 1, bias=True),
            *dense("vision", "positions", 2 * config.integer("mm_posemb_size", default=1120), width),
            *norm(pixels, 1, bias=True),
            *norm(width, 2, bias=True),
            *dense("vision", "projector", text_hidden, width),
        ]
    )


def qwen2_vl_tower(config: Config) -> Matrices:
    """Qwen2-VL: `embed_dim` wide inside, `hidden_size` is the decoder's width."""
    hidden, layers = config.integer("embed_dim", default=1280), config.integer("depth", default=32)
    wide = hidden * config.integer("spatial_merge_size", default=2) ** 2
    width = hidden * config.integer("mlp_ratio", default=4)
    return as_vision(
        [
            *patches(config, hidden, frames=2),
            *tower(hidden, width, layers, gated=False, bias=True, norm_bias=True),
            *merger(hidden, wide, config.integer("hidden_size", default=3584), norm_width=hidden, norm_bias=True),
        ]
    )


def qwen2_5_vl_tower(config: Config) -> Matrices:
    hidden, layers = config.integer("hidden_size", default=1280), config.integer("depth", default=32)
    wide = hidden * config.integer("spatial_merge_size", default=2) ** 2
    width = config.integer("intermediate_size", default=3420)
    return as_vision(
        [
            *patches(config, hidden, frames=2),
            *tower(hidden, width, layers, gated=True, bias=True, norm_bias=False),
            *merger(hidden, wide, config.integer("out_hidden_size"), norm_width=hidden, norm_bias=False),
        ]
    )


def qwen3_vl_tower(config: Config) -> Matrices:
    """Qwen3-VL and Qwen3.5: learned positions; DeepStack has a merger of its own for each layer it taps."""
    hidden, layers = config.integer("hidden_size", default=1152), config.integer("depth", default=27)
    wide = hidden * config.integer("spatial_merge_size", default=2) ** 2
    width, out = config.integer("intermediate_size", default=4304), config.integer("out_hidden_size")
    taps = len(config.integers("deepstack_visual_indexes"))
    return as_vision(
        [
            *patches(config, hidden, frames=2, bias=True),
            *dense("vision", "positions", config.integer("num_position_embeddings", default=2304), hidden),
            *tower(hidden, width, layers, gated=False, bias=True, norm_bias=True),
            *merger(hidden, wide, out, norm_width=hidden, norm_bias=True),
            *merger(hidden, wide, out, norm_width=wide, norm_bias=True, copies=taps),
        ]
    )


def moonvit_tower(config: Config, text_hidden: int) -> Matrices:
    """MoonViT as Kimi-VL and Kimi K2.5 have it: positions on a grid, and a projector over merged patches."""
    hidden = config.integer("hidden_size", "vt_hidden_size", default=1152)
    width = config.integer("intermediate_size", "vt_intermediate_size", default=4304)
    layers = config.integer("num_hidden_layers", "vt_num_hidden_layers", default=27)
    rows = config.integer("pos_emb_height", "init_pos_emb_height", default=64)
    columns = config.integer("pos_emb_width", "init_pos_emb_width", default=64)
    merged = hidden * math.prod(config.integers("merge_kernel_size") or (2, 2))
    return as_vision(
        [
            *patches(config, hidden, bias=True),
            *dense("vision", "positions", rows * columns, hidden),
            *tower(hidden, width, layers, gated=False, bias=True, norm_bias=True),
            *norm(hidden, 1, bias=True),
            *merger(hidden, merged, text_hidden, norm_width=hidden, norm_bias=True),
        ]
    )


def moonvit_3d_tower(config: Config, text_hidden: int) -> Matrices:
    """MoonViT as Kimi K3 has it: no biases, heads wider than the tower, and a norm after the projector."""
    hidden = config.integer("vt_hidden_size", default=1024)
    width = config.integer("vt_intermediate_size", default=4096)
    layers = config.integer("vt_num_hidden_layers", default=27)
    heads = config.integer("qkv_hidden_size", default=1536)
    grid = config.integer("init_pos_emb_height", default=64) * config.integer("init_pos_emb_width", default=64)
    merged = hidden * math.prod(config.integers("merge_kernel_size") or (2, 2))
    return as_vision(
        [
            *patches(config, hidden),
            *dense("vision", "positions", grid, hidden),
            *linear("attention", "qkv_proj", 3 * heads, hidden, layers),
            *linear("attention", "o_proj", hidden, heads, layers),
            *plain_mlp(hidden, width, layers),
            *norm(hidden, 2 * layers + 1),
            *linear("other", "merger_fc1", merged, merged, 1),
            *linear("other", "merger_fc2", text_hidden, merged, 1),
            *norm(text_hidden, 1),
        ]
    )
