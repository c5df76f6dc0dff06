"""The one door from whatever names a model to the model."""

from __future__ import annotations

import re
from pathlib import Path

from planner.errors import BadInput, nearest
from planner.models.catalogue import catalogue_names, find
from planner.models.model import Model
from planner.models.sizes import is_size, model_of_size

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
    path = Path(text).expanduser()
    if text and path.is_dir():
        from planner.models.directory import model_from_directory

        return model_from_directory(path)
    if path.suffix.lower() == ".gguf" and path.is_file():
        from planner.models.gguf import model_from_gguf

        return model_from_gguf(path)
    known = find(text)
    if known:
        return known
    if is_size(text):
        return model_of_size(text)
    if allow_hub and HUB_ID.fullmatch(text):
        from planner.models.hub import model_from_hub

        return model_from_hub(text)
    raise _unknown(text)


def _unknown(text: str) -> BadInput:
    looks_like_path = text.startswith((".", "/", "~")) or text.endswith(".gguf")
    what = f"no directory or .gguf file at {text}" if looks_like_path else f"no model is called {text!r}"
    return BadInput(what, nearest=[] if looks_like_path else nearest(text, catalogue_names()), fix=ALTERNATIVES)
