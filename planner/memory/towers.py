"""What vLLM's profiling run holds of a vision tower: it reads the largest images a step admits and keeps the result.

Read from vllm/v1/worker/gpu_model_runner.py (profile_run) and vllm/multimodal/encoder_budget.py at 0.32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from planner.memory.constants import engine_constants
from planner.models.shape import Matrix, Shape

ACTIVATION_BYTES = 2


@dataclass(frozen=True, slots=True)
class Images:
    """The images one profiling run reads: their number, and of each the decoder's tokens and the tower's patches."""

    count: int
    tokens: int
    patches: int


def images_profiled(shape: Shape, step_tokens: int, context_tokens: int) -> Images | None:
    """As many of the largest images as fit a step, at least one; None where the family's largest is not known.

    Where it takes more tokens it is one video, of as many of the largest frames as the longest request holds.
    """
    known = _largest_images(shape.family)
    if known is None:
        return None
    frames = max(1, min(context_tokens // known["tokens"], known.get("frames", 1)))
    tokens, patches = frames * known["tokens"], frames * known["patches"]
    return Images(max(1, step_tokens // tokens), tokens, patches)


def longest_with_one_frame(shape: Shape) -> int | None:
    """The longest context at which a video is profiled as one image is; None where no context changes the profile."""
    known = _largest_images(shape.family)
    return 2 * known["tokens"] - 1 if known and known.get("frames", 1) > 1 else None


def tower_bytes(shape: Shape, images: Images) -> float | None:
    """The peak inside the tower; None without its matrices.

    The widest MLP, hidden states beside it and the pixels, and what DeepStack has handed over of the layers below.
    """
    parts = {matrix.role.removeprefix("vision_"): matrix for matrix in shape.matrices if matrix.component == "vision"}
    if not {"qkv_proj", "up_proj", "patch_embed"} <= set(parts):
        return None
    kind = engine_constants("vllm")["vision"]["gated" if "gate_proj" in parts else "plain"]
    alive = images.patches * _patch_elements(parts, kind) + images.tokens * shape.hidden_size * (_taps(shape) - 1)
    return images.count * alive * ACTIVATION_BYTES


def kept_bytes(shape: Shape, images: Images) -> float:
    """The decoder's inputs made of the images, in the encoder cache while the decoder is profiled."""
    return images.count * images.tokens * shape.hidden_size * _taps(shape) * ACTIVATION_BYTES


def _taps(shape: Shape) -> int:
    """States a tower hands over for each token: its last, and with DeepStack those of layers it taps."""
    return max(1, sum(m.copies for m in shape.matrices if m.role == "vision_merger_fc2"))


def _patch_elements(parts: dict[str, Matrix], kind: dict[str, float]) -> float:
    """Elements alive for one patch."""
    width, hidden, pixels = parts["up_proj"].rows, parts["qkv_proj"].columns, parts["patch_embed"].columns
    return kind["widths"] * width + kind["hidden_copies"] * hidden + pixels


@lru_cache(maxsize=256)
def _largest_images(family: str) -> dict[str, Any] | None:
    largest: list[dict[str, Any]] = engine_constants("vllm")["vision"]["largest_images"]
    return next((entry for entry in largest if family in entry["families"]), None)
