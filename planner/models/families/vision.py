"""Vision towers and the projectors that lead from them into the decoder. All of it stays in 16 bits."""

from __future__ import annotations

import math
from dataclasses import replace

from planner.models.config import Config
from planner.models.layers import Matrices, dense, gated_mlp, linear, norm, plain_mlp, vector


def as_vision(matrices: Matrices) -> Matrices:
    """The same tensors as parts of a vision tower."""
    return [replace(m, component="vision", role=f"vision_{m.role}", quantizable=False) for m in matrices]


def projections(hidden: int, copies: int, *, bias: bool) -> Matrices:
    """Query, key, value and output of a tower, all as wide as the tower."""
    return [
        *linear("attention", "qkv_proj", 3 * hidden, hidden, copies, bias=bias),
        *linear("attention", "o_proj", hidden, hidden, copies, bias=bias),
    ]


def patches(config: Config, hidden: int, *, frames: int = 1, bias: bool = False) -> Matrices:
    """The convolution that turns a patch of pixels (of `frames` frames) into a vector."""
    size = config.integer("patch_size", "spatial_patch_size", default=14)
    channels = config.integer("num_channels", "in_channels", "in_chans", default=3)
    return [
        *dense("vision", "patch_embed", hidden, channels * frames * size * size),
        *(vector("vision", "patch_embed_bias", hidden, 1) if bias else []),
    ]


def tower(hidden: int, intermediate: int, layers: int, *, gated: bool, bias: bool, norm_bias: bool) -> Matrices:
    """`layers` encoder layers with two norms each."""
    mlp = gated_mlp if gated else plain_mlp
    return [
        *projections(hidden, layers, bias=bias),
        *mlp(hidden, intermediate, layers, bias=bias),
        *norm(hidden, 2 * layers, bias=norm_bias),
    ]


def pixtral_encoder(config: Config) -> Matrices:
    """Pixtral's encoder: gated MLPs, no biases."""
    hidden = config.integer("hidden_size", default=1024)
    width, layers = config.integer("intermediate_size", default=4096), config.integer("num_hidden_layers", default=24)
    return [
        *patches(config, hidden),
        *norm(hidden, 1),
        *tower(hidden, width, layers, gated=True, bias=False, norm_bias=False),
    ]


def pixtral_tower(config: Config, text_hidden: int, merge: int) -> Matrices:
    """Pixtral's encoder in Mistral Small 3.1 and Ministral 3, with the merger of `merge` x `merge` patches."""
    hidden = config.integer("hidden_size", default=1024)
    return as_vision(
        [
            *pixtral_encoder(config),
            *norm(hidden, 1),
            *dense("vision", "patch_merger", hidden, hidden * merge * merge),
            *dense("vision", "projector", text_hidden, hidden + text_hidden),
        ]
    )


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


def merger(hidden: int, wide: int, out: int, *, norm_width: int, norm_bias: bool, copies: int = 1) -> Matrices:
    """Joins neighbouring patches into `wide` numbers and maps them to the decoder's `out`."""
    return [
        *norm(norm_width, copies, bias=norm_bias),
        *linear("other", "merger_fc1", wide, wide, copies, bias=True),
        *linear("other", "merger_fc2", out, wide, copies, bias=True),
    ]


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


def mllama_tower(config: Config, text_hidden: int) -> Matrices:
    """Llama 3.2 Vision: a local and a global encoder over up to four tiles, with gated tile positions."""
    hidden, width = config.integer("hidden_size", default=1280), config.integer("intermediate_size", default=5120)
    local = config.integer("num_hidden_layers", default=32)
    around = config.integer("num_global_layers", default=8)
    tiles = config.integer("max_num_tiles", default=4)
    side = config.integer("image_size", default=448) // config.integer("patch_size", default=14)
    shapes = config.values.get("supported_aspect_ratios")
    ratios = 1 + (len(shapes) if isinstance(shapes, list) else 8)
    layers = [
        *projections(hidden, local + around, bias=False),
        *plain_mlp(hidden, width, local + around, bias=True),
        *norm(hidden, 2 * (local + around) + 2, bias=True),
    ]
    return as_vision(
        [
            *patches(config, hidden),
            *dense("vision", "positions", side * side + 2, hidden),
            *dense("vision", "tile_positions", ratios * tiles, (side * side + 1) * hidden + 2 * hidden),
            *vector("vision", "gates", 2 * around + 3, 1),
            *layers,
            *linear("other", "projector", text_hidden, config.integer("vision_output_dim", default=7680), 1, bias=True),
        ]
    )


def llama4_tower(config: Config, text_hidden: int) -> Matrices:
    """Llama 4: an encoder, a pixel-shuffle adapter and one projection."""
    hidden, width = config.integer("hidden_size", default=768), config.integer("intermediate_size", default=5632)
    layers = config.integer("num_hidden_layers", default=34)
    side = config.integer("image_size", default=448) // config.integer("patch_size", default=14)
    inner = config.integer("projector_input_dim", default=4096)
    out = config.integer("projector_output_dim", default=4096)
    return as_vision(
        [
            *patches(config, hidden),
            *dense("vision", "positions", side * side + 2, hidden),
            *tower(hidden, width, layers, gated=False, bias=True, norm_bias=True),
            *norm(hidden, 2, bias=True),
            *dense("vision", "adapter_fc1", inner, width),
            *dense("vision", "adapter_fc2", out, inner),
            *dense("vision", "projector", text_hidden, config.integer("vision_output_dim", default=7680)),
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


def llava_tower(config: Config, text_hidden: int) -> Matrices:
    """The tower of LLaVA (CLIP: a class token, learned positions) or Pixtral, and a projector of two layers."""
    hidden = config.integer("hidden_size", default=1024)
    pixtral = config.text("model_type", "clip_vision_model") == "pixtral"
    return as_vision(
        [
            *(pixtral_encoder(config) if pixtral else clip_encoder(config)),
            *linear("other", "projector_1", text_hidden, hidden, 1, bias=True),
            *linear("other", "projector_2", text_hidden, text_hidden, 1, bias=True),
        ]
    )


def clip_encoder(config: Config) -> Matrices:
    hidden = config.integer("hidden_size", default=1024)
    width, layers = config.integer("intermediate_size", default=4096), config.integer("num_hidden_layers", default=24)
    side = config.integer("image_size", default=336) // config.integer("patch_size", default=14)
    return [
        *patches(config, hidden),
        *dense("vision", "positions", side * side + 2, hidden),
        *tower(hidden, width, layers, gated=False, bias=True, norm_bias=True),
        *norm(hidden, 2, bias=True),
    ]


def internvit_tower(config: Config, text_hidden: int) -> Matrices:
    """InternViT: CLIP's layout with a learned scale on each branch, and a projector over four joined patches."""
    hidden, width = config.integer("hidden_size", default=1024), config.integer("intermediate_size", default=4096)
    layers, side = config.integer("num_hidden_layers", default=24), config.integer("image_size", default=448)
    side //= config.integer("patch_size", default=14)
    return as_vision(
        [
            *patches(config, hidden, bias=True),
            *dense("vision", "positions", side * side + 2, hidden),
            *tower(hidden, width, layers, gated=False, bias=True, norm_bias=True),
            *vector("vision", "layer_scales", 2 * hidden, layers),
            *norm(4 * hidden, 1, bias=True),
            *linear("other", "projector_1", text_hidden, 4 * hidden, 1, bias=True),
            *linear("other", "projector_2", text_hidden, text_hidden, 1, bias=True),
        ]
    )
