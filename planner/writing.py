"""Files written whole or not at all, and text that no reader of them takes for anything else."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from planner.errors import BadInput

SIGNS = ("=", "+", "-", "@")
CONTROLS = ("\t", "\r", "\n")
UNWRITABLE = ("Cc", "Cs")


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
    """A spreadsheet takes text that begins like a formula for one; an apostrophe keeps it text.

    Unseen letters before the sign and full-width signs count: some spreadsheets read over the ones, and normalise the
    others.
    """
    if isinstance(value, str) and begins_like_a_formula(value):
        return f"'{value}"
    return "" if value is None else value


def legible(text: str) -> str:
    """The text without what neither XML nor JSON can hold: control characters and halves of surrogate pairs."""
    return "".join(letter for letter in text if letter in "\t\n" or unicodedata.category(letter) not in UNWRITABLE)


def begins_like_a_formula(text: str) -> bool:
    """Whether a spreadsheet could calculate this text instead of showing it."""
    seen = (letter for letter in unicodedata.normalize("NFKC", text) if not _is_unseen(letter))
    return text.startswith(CONTROLS) or next(seen, "") in SIGNS


def _is_unseen(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter).startswith("C")
