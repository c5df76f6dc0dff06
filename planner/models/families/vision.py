"""Building blocks of vision towers. All of a tower stays in 16 bits."""

from __future__ import annotations

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


def merger(hidden: int, wide: int, out: int, *, norm_width: int, norm_bias: bool, copies: int = 1) -> Matrices:
    """Joins neighbouring patches into `wide` numbers and maps them to the decoder's `out`."""
    return [
        *norm(norm_width, copies, bias=norm_bias),
        *linear("other", "merger_fc1", wide, wide, copies, bias=True),
        *linear("other", "merger_fc2", out, wide, copies, bias=True),
    ]
