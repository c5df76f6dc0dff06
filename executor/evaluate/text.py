"""The text that ships with the executor: held out to measure on, and apart from it text to make prompts of."""

from __future__ import annotations

from pathlib import Path

from planner.errors import BadInput

SHIPPED = Path(__file__).parents[1] / "demo" / "text"


def held_out_text(chosen: str | None) -> Path:
    """The text to measure perplexity on: the user's, else the shipped one. BadInput when there is no such file."""
    return _text(chosen, "heldout.txt")


def prompt_text(chosen: str | None) -> Path:
    """The text to cut prompts from: the user's, else the shipped calibration text."""
    return _text(chosen, "calibration.txt")


def _text(chosen: str | None, shipped_name: str) -> Path:
    path = Path(chosen).expanduser() if chosen else SHIPPED / shipped_name
    if not path.is_file():
        raise BadInput("no such text file", where=str(path), fix="name a plain text file in UTF-8")
    return path
