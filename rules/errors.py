"""What a rule author is told: the place, what is wrong, the nearest valid name, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class RuleError(Exception):
    """One problem in the book. `line` and `column` count from 1; 0 means the problem has no place in the file."""

    def __init__(
        self,
        message: str,
        *,
        file: str = "",
        line: int = 0,
        column: int = 0,
        nearest: Iterable[str] = (),
        fix: str = "",
    ) -> None:
        self.message, self.file, self.line, self.column = message, file, line, column
        self.nearest, self.fix = tuple(nearest), fix
        super().__init__(message)

    @property
    def where(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)

    def as_plain(self) -> dict[str, Any]:
        """The problem as plain JSON values."""
        place = {"file": self.file, "line": self.line, "column": self.column}
        return {**place, "message": self.message, "nearest": list(self.nearest), "fix": self.fix}

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.message}" if self.where else self.message]
        if self.nearest:
            lines.append(f"Did you mean: {', '.join(self.nearest)}?")
        if self.fix:
            lines.append(f"To fix: {self.fix}")
        return "\n".join(lines)


class BrokenYaml(RuleError):
    """The file is not YAML, or says one key twice."""


class BadShape(RuleError):
    """A key is missing, misspelt, or holds the wrong kind of value."""


class BadClause(RuleError):
    """A `when` clause cannot be read or cannot be true: `column` counts within the clause until it is placed."""


class UnknownSource(RuleError):
    """A rule cites what sources.yaml does not know."""


class UnknownDecision(RuleError):
    """Somebody asked for a decision the book does not make."""


def nearest(name: str, known: Iterable[str], count: int = 2) -> list[str]:
    """The known names most like `name`, ignoring case, best first."""
    by_lower = {k.lower(): k for k in known}
    return [by_lower[match] for match in get_close_matches(name.lower(), by_lower, n=count, cutoff=0.5)]
