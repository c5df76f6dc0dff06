"""Reading a JSON object from a file that may be broken or hostile."""

from __future__ import annotations

import json
from pathlib import Path

from planner.errors import BadInput
from planner.units import MIB

# A config or an index larger than this describes no model that exists; parsing it would only cost memory.
LARGEST_BYTES = 256 * MIB
AGAIN = "download the file again"


def read_json_object(path: Path) -> dict[str, object]:
    """The object in `path`. Raises BadInput when it cannot be read, is too large, or is not a JSON object."""
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise BadInput(f"{size} bytes are too many for a JSON file", where=str(path), fix=AGAIN)
        content = path.read_bytes()
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise BadInput(what, where=str(path), fix="check the file and its permissions") from None
    return parse_json_object(content, str(path))


def parse_json_object(content: bytes, where: str) -> dict[str, object]:
    """The JSON object in `content`; `where` is what an error names."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not valid JSON ({_reason(error)})", where=where, fix=AGAIN) from None
    if not isinstance(value, dict):
        raise BadInput(f"holds a JSON {type(value).__name__}, not an object", where=where, fix=AGAIN)
    return value


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error).split(";")[0].split(":")[0]
