"""What the service believes, as one digest: it changes when the program, its data or its rules do."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from planner import __version__
from planner.catalog import DIRECTORY as CATALOGUE
from rules.book import BUILT_IN


@cache
def knowledge_digest() -> str:
    """One digest over the program's version, its data files and its rules: the ETag of everything it believes."""
    return hashlib.sha256(f"{__version__} {digest_of(CATALOGUE)} {digest_of(BUILT_IN)}".encode()).hexdigest()[:32]


def digest_of(directory: Path) -> str:
    """A digest over the names and bytes of the data files of a directory."""
    found = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.suffix in (".yaml", ".csv", ".jsonl", ".json")):
        found.update(str(path.relative_to(directory)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()
