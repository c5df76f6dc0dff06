"""Reads the scheme of a checkpoint from how a log or a model card names it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from planner.catalog import load_yaml
from planner.schemes import Scheme, scheme

UNQUANTIZED = frozenset({"none", "no", "unquantized"})
UNSTATED = frozenset({"auto", "default", "n/a", "-"})
GROUPED = frozenset({"awq-int4", "gptq-int4", "gptq-int3", "gptq-int8", "rtn-int4"})
GROUP = re.compile(r"\bg(?:s|roup)?[-_ ]?(?:size)?[-_= :]{0,2}(32|64|128|256)\b|[-_ ](32|64|128|256)g\b")


@lru_cache(maxsize=1024)
def named_scheme(quantization: str, model_name: str, *, is_moe: bool = False, is_hybrid: bool = False) -> Scheme | None:
    """The scheme that a stated quantization, or else the model's name, means; None for one that is not modelled.

    Without any hint the checkpoint is taken to be in 16 bits, unless the model is only published otherwise.
    """
    stated, name = quantization.lower().strip(), model_name.lower()
    stated = "" if stated in UNSTATED else stated
    if stated in UNQUANTIZED:
        return scheme("bf16")
    content = load_yaml("quantization_names.yaml")
    if any(word in stated for word in content["unmodelled"]):
        return None
    entries = (*content["names"], *content["native"]) if not stated or stated in name else content["names"]
    text = f"{stated} {name}"
    kinds = {"experts": is_moe, "hybrid experts": is_moe and is_hybrid, "hybrid": is_hybrid and not is_moe}
    entry = next((e for e in entries if _names(e, text) and _applies(e, name, kinds)), None)
    if entry is None:
        is_unsaid = any(word in name for word in content["unsaid"])
        return None if stated or is_unsaid else scheme("bf16")
    return _grouped(_changed(entry), text)


def _names(entry: Mapping[str, Any], text: str) -> bool:
    return all(word in text for word in entry["words"]) and not any(word in text for word in entry.get("but_not", ()))


def _applies(entry: Mapping[str, Any], name: str, kinds: Mapping[str, bool]) -> bool:
    return name.startswith(entry.get("publisher", "")) and ("only" not in entry or kinds[entry["only"]])


def _changed(entry: Mapping[str, Any]) -> Scheme:
    changes: dict[str, Any] = {key: _frozen(value) for key, value in entry.get("changes", {}).items()}
    return replace(scheme(entry["scheme"]), **changes)


def _grouped(found: Scheme, text: str) -> Scheme:
    """With groups of the size that the text names (`g32`, `-64g`, `group size 128`)."""
    said = GROUP.search(text) if found.id in GROUPED else None
    return replace(found, group_size=int(said.group(1) or said.group(2))) if said else found


def _frozen(value: object) -> object:
    """Lists of the data file as tuples, so that a scheme can be a key."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
