"""How old a price is: as exactly as its date is known."""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from typing import Any

from planner.catalog import load_yaml

FILE = "costing.yaml"


def age_days(as_of: str, today: date) -> tuple[int, int]:
    """The least and the greatest age in days of a date given as a year, a month or a day; 0 for one in the future."""
    parts = [int(part) for part in as_of.split("-")]
    year, month, day = (*parts, *[0] * (3 - len(parts)))
    first = date(year, month or 1, day or 1)
    last = first if day else date(year, month or 12, monthrange(year, month or 12)[1])
    return max((today - last).days, 0), max((today - first).days, 0)


def stale_after_days() -> int:
    """The age from which a price needs a warning."""
    return int(_settings()["stale_after_days"]["value"])


def age_warning(name: str, provider: str, as_of: str, today: date) -> str | None:
    """A sentence where the price is, or may be, older than the limit; None where it is not."""
    least, most = age_days(as_of, today)
    if most <= stale_after_days():
        return None
    age = f"is {most} days old" if least == most else f"is {least} to {most} days old (known only as {as_of})"
    return f"the price of {name} from {provider} {age}: ask for it again before you rely on it"


def _settings() -> dict[str, Any]:
    found: dict[str, Any] = load_yaml(FILE)
    return found
