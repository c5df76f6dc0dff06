"""A rule book of one decision file, written for a test."""

from collections.abc import Callable
from pathlib import Path

import pytest

WriteBook = Callable[[str], Path]


@pytest.fixture
def write_book(tmp_path: Path) -> WriteBook:
    """Write one decision file; the book cites the built-in sources."""

    def write(text: str, name: str = "kv_cache.yaml") -> Path:
        decisions = tmp_path / "decisions"
        decisions.mkdir(exist_ok=True)
        (decisions / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write
