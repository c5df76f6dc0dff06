"""The one door from whatever names a model to the model."""

from __future__ import annotations

import re
from pathlib import Path

from planner.errors import BadInput, nearest
from planner.models.catalogue import catalogue_names, find
from planner.models.model import Model
from planner.models.sizes import is_size, model_of_size

LONGEST_SHOWN = 200
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
ALTERNATIVES = (
    "name a model of the catalogue, a hub id (org/name), a directory with a config.json, a .gguf file, "
    "or a bare size such as 70B"
)


def resolve_model(text: str, *, allow_hub: bool = True) -> Model:
    """The model that `text` names.

    Asked in order: an existing directory (Hugging Face layout), an existing .gguf file, a catalogue name or alias,
    a bare size (`70B`), a hub id (`org/name`; only with `allow_hub`). Raises BadInput with the nearest names.
    """
    path = _existing(text)
    if path and path.is_dir():
        from planner.models.directory import model_from_directory

        return model_from_directory(path)
    if path and path.suffix.lower() == ".gguf":
        from planner.models.gguf import model_from_gguf

        return model_from_gguf(path)
    known = find(text)
    if known:
        return known
    if is_size(text):
        return model_of_size(text)
    if allow_hub and HUB_ID.fullmatch(text) and not _means_a_path(text):
        from planner.models.hub import model_from_hub

        return model_from_hub(text)
    raise _unknown(text)


def _existing(text: str) -> Path | None:
    """The file or directory called `text`; None where there is none, or where it can be no path at all."""
    try:
        path = Path(text).expanduser()
        return path if text and path.exists() else None
    except (OSError, RuntimeError, ValueError):
        return None


def _means_a_path(text: str) -> bool:
    return text.startswith((".", "/", "~")) or text.lower().endswith(".gguf")


def _unknown(text: str) -> BadInput:
    short = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
    if _means_a_path(text):
        return BadInput(f"no directory or .gguf file at {short}", fix=ALTERNATIVES)
    return BadInput(f"no model is called {short!r}", nearest=nearest(short, catalogue_names()), fix=ALTERNATIVES)
