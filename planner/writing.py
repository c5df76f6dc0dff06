"""Files written whole or not at all, and text that no spreadsheet takes for a formula."""

from __future__ import annotations

from pathlib import Path

from planner.errors import BadInput

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_aside(path: Path, content: str | bytes) -> None:
    """Write the file aside, then rename it. BadInput when it cannot be written."""
    aside = path.with_name(path.name + ".part")
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        aside.write_bytes(data)
        aside.replace(path)
    except OSError as error:
        raise BadInput(f"cannot write: {error.strerror}", where=str(path), fix="name another file") from None


def csv_cell(value: object) -> object:
    """A spreadsheet takes text that begins like a formula for one; an apostrophe keeps it text."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value
