"""Measured tables: CSV files in which a measurement replaces the earlier one of the same thing."""

from __future__ import annotations

import csv
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEASURED = Path(__file__).parent / "measured"


@dataclass(frozen=True)
class Table:
    """One file below `measured/`, or at a path of its own: its columns, and which of them name what was measured."""

    name: str | Path
    columns: Sequence[str]
    key: Sequence[str]

    @property
    def path(self) -> Path:
        return MEASURED / self.name

    def rows(self) -> list[dict[str, str]]:
        """What was measured so far; nothing where there is no file."""
        if not self.path.is_file():
            return []
        with self.path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def put(self, row: Mapping[str, Any]) -> None:
        """The row in the place of an earlier one of the same key, else at the end; written aside and renamed."""
        rows = {self._key_of(old): dict(old) for old in self.rows()}
        rows[self._key_of(row)] = {name: _cell(row.get(name)) for name in self.columns}
        aside = self.path.with_suffix(".partial")
        with aside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self.columns, restval="", extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows.values())
        aside.replace(self.path)

    def _key_of(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(_cell(row.get(name)) for name in self.key)


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def cpu_name() -> str:
    """What this processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
