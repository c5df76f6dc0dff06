"""The tensor types of GGUF files, their block sizes, and the schemes their file types are called by."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from planner.errors import BadInput, nearest

TYPES = Path(__file__).parent.parent / "catalog" / "ggml_types.json"


def tensor_bytes(ggml_type: str, n_elements: int) -> int:
    """Bytes of `n_elements` weights stored as `ggml_type` (`Q4_K`, `F16` ...).

    Raises BadInput for an unknown type and for a count that does not fill whole blocks.
    """
    types = _tables()["types"]
    if ggml_type not in types:
        raise BadInput(f"{ggml_type} is not a GGUF tensor type", nearest=nearest(ggml_type, types))
    _, elements_per_block, bytes_per_block = types[ggml_type]
    if n_elements % elements_per_block:
        raise BadInput(f"{n_elements} elements do not fill blocks of {elements_per_block} ({ggml_type})")
    return int(n_elements // elements_per_block * bytes_per_block)


def elements_per_block(ggml_type: str) -> int:
    """Weights that share one block's scales: a row must be a multiple of it."""
    return int(_tables()["types"][ggml_type][1])


def bytes_per_block(ggml_type: str) -> int:
    """Bytes of one block of weights, its scales included."""
    return int(_tables()["types"][ggml_type][2])


def type_names() -> tuple[str, ...]:
    """Every storage type there is."""
    return tuple(_tables()["types"])


def type_name(type_id: int) -> str | None:
    return _names_by_id().get(type_id)


def file_type_name(file_type: int) -> str | None:
    """The name of `general.file_type` (`Q4_K_M` ...)."""
    name: str | None = _tables()["file_types"].get(str(file_type))
    return name


def scheme_of_file_type(name: str) -> str:
    """The scheme id of a file type, `unknown` where quantplan has none (Q4_K_S, IQ4_XS ...)."""
    return str(_tables()["schemes"].get(name, "unknown"))


@cache
def _tables() -> dict[str, Any]:
    tables: dict[str, Any] = json.loads(TYPES.read_text(encoding="utf-8"))
    return tables


@cache
def _names_by_id() -> dict[int, str]:
    return {columns[0]: name for name, columns in _tables()["types"].items()}
