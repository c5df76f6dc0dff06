"""A model the planner can plan for: its shape, and what is known of its stored checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from planner.models.shape import Shape

Origin = Literal["directory", "gguf", "hub", "catalogue", "size"]


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor as a checkpoint header describes it; `dtype` in the file's own spelling (BF16, I32, Q4_K ...)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What lies on disk: exact bytes and tensors from the headers, and the scheme it is already stored in.

    `stored_format` is a scheme id of `planner/catalog/schemes.yaml` (`bf16`, `awq-int4` ...) or `unknown`.
    `group_size` is the checkpoint's own (B.pitfall.5); None where the format has none.
    """

    path: str
    stored_format: str
    total_bytes: int
    tensors: tuple[StoredTensor, ...] = ()
    group_size: int | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """`name` as people see it, `source` of the facts, `assumptions`: what was guessed and must be printed.

    `published_formats` lists schemes for which the maker or a well-known publisher offers ready checkpoints.
    `stored_format` is the scheme its weights come in (as in `Checkpoint`), known also where no checkpoint is at hand.
    `stored_variant` names the GGUF variant of that format (`q4_0`, `iq4_xs` ...) that a file holds.
    `weights_at` is the directory, file or hub id its weights come from; empty for a mere size.
    """

    name: str
    shape: Shape
    origin: Origin
    source: str
    checkpoint: Checkpoint | None = None
    published_formats: tuple[str, ...] = ()
    is_chat: bool = False
    assumptions: tuple[str, ...] = ()
    stored_format: str = "bf16"
    needs_remote_code: bool = False
    weights_at: str = ""
    stored_variant: str = ""
