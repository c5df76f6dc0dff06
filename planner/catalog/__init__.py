"""What the planner believes, as data files with sources and dates, and the one way to read them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent


def data_file(name: str) -> Path:
    """Where one data file of this folder lies."""
    return DIRECTORY / name


@lru_cache
def load_yaml(name: str) -> Any:
    """The parsed content of one data file of this folder; read once, to be treated as read-only."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((DIRECTORY / name).read_text(encoding="utf-8"), Loader=loader)
