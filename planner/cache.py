"""Where quantplan keeps what it can make again: micro-benchmarks, toolchains, downloads."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory() -> Path:
    """`$QUANTPLAN_CACHE`, else `$XDG_CACHE_HOME/quantplan`, else `~/.cache/quantplan`; it need not exist yet."""
    if own := os.environ.get("QUANTPLAN_CACHE"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "quantplan"
