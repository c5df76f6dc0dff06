"""Values in the syntax of each kind of file, so that no name of a model can become a command, a key or a directive."""

from __future__ import annotations

import json
import shlex
import unicodedata
from collections.abc import Sequence


def one_line(text: str) -> str:
    """For a comment or a title: control characters, newlines among them, become spaces."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)


def shell(text: str) -> str:
    """One word of a POSIX shell."""
    return shlex.quote(text)


def yaml(value: str | Sequence[str]) -> str:
    """A YAML scalar or list in JSON's notation, with `$` doubled: Compose would expand it."""
    return json.dumps(value, ensure_ascii=True).replace("$", "$$")


def json_text(value: str | Sequence[str]) -> str:
    """A Dockerfile's exec form."""
    return json.dumps(value, ensure_ascii=True)


def systemd(text: str) -> str:
    """One quoted word of a unit file: no specifier (%), no variable ($), no escape of its own."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return '"' + "".join(_systemd_escape(c) for c in escaped) + '"'


def modelfile(text: str) -> str:
    """A value of an Ollama Modelfile: it ends with its line, and quotes are literal."""
    return one_line(text).strip()


def slug(text: str) -> str:
    """A name for files, containers and units: letters, digits and dashes, beginning with a letter or digit."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower())
    return "-".join(part for part in kept.split("-") if part) or "model"


def by_line(words: Sequence[str]) -> list[list[str]]:
    """A command in lines a person can read: the program and what it takes first, then each option with its values."""
    lines: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--"):
            lines.append([])
        lines[-1].append(word)
    return lines


def _systemd_escape(character: str) -> str:
    return f"\\x{ord(character):02x}" if unicodedata.category(character) == "Cc" else character
