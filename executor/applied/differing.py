"""The error for a written model that is not what was planned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from planner.errors import ExecutionFailed

MOST_SHOWN = 12


def not_as_planned(path: Path, what: str, differences: Sequence[str], fix: str) -> ExecutionFailed:
    """Names what was written and the first differences; a model of eighty layers may have thousands."""
    shown = "\n".join(f"  {difference}" for difference in differences[:MOST_SHOWN])
    more = f"\n  and {len(differences) - MOST_SHOWN} more" if len(differences) > MOST_SHOWN else ""
    return ExecutionFailed(f"{what} as planned:\n{shown}{more}", where=str(path), fix=fix)
