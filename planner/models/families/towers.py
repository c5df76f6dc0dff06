"""Towers of the Pixtral, LLaVA, InternVL and Llama models, with their projectors."""

from __future__ import annotations

from planner.models.config import Config
from planner.models.families.vision import as_vision, patches, projections, tower
from planner.models.layers import Matrices, dense, linear, norm, plain_mlp, vector


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
