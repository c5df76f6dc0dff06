"""Where quantplan keeps what it must not lose: runs, the journal, and what was learnt on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def home_directory() -> Path:
    """`$QUANTPLAN_HOME`, else `$XDG_DATA_HOME/quantplan`, else `~/.local/share/quantplan`; it need not exist yet."""
    if own := os.environ.get("QUANTPLAN_HOME"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_DATA_HOME")
    return (Path(shared) if shared else Path.home() / ".local" / "share") / "quantplan"
