"""Writes rendered files: aside first, then renamed; scripts may be run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from planner.errors import BadInput


def write_files(files: Mapping[str, str], directory: Path) -> list[Path]:
    """Write each file below the directory, which is made. BadInput when that cannot be done."""
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = directory / name
            aside = path.with_name(path.name + ".partial")
            aside.write_text(text, encoding="utf-8")
            aside.chmod(0o755 if name.endswith(".sh") else 0o644)
            written.append(aside.replace(path))
    except OSError as error:
        raise BadInput(
            f"cannot write there: {error.strerror}", where=str(directory), fix="name another folder"
        ) from None
    return written
