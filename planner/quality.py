"""What quality a format is known to keep, from published pairs of scores before and after."""

from __future__ import annotations

from dataclasses import dataclass

from planner.catalog import load_yaml
from rules.vocabulary import FormatId

REFERENCE = "reference"
AS_PUBLISHED = "as published"
FULL_RECOVERY_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Quality:
    """One phrase; where pairs were published for this size, the score kept in percent, with its 90 % range."""

    phrase: str
    source: str
    recovery_percent: float | None = None
    low_percent: float | None = None
    high_percent: float | None = None
    rows: int = 0


def expected_quality(format: FormatId, params_b: float) -> Quality:
    """What is published for this format at this model size; figures are None where nothing is (never guessed)."""
    entry = load_yaml("quality.yaml")["formats"][format]
    if entry["class"] == REFERENCE:
        return Quality(REFERENCE, REFERENCE, FULL_RECOVERY_PERCENT, FULL_RECOVERY_PERCENT, FULL_RECOVERY_PERCENT)
    for line in entry.get("recovery_percent", ()):
        if params_b >= line["from_params_b"]:
            return Quality(entry["class"], line["source"], line["median"], line["low"], line["high"], line["rows"])
    return Quality(entry["class"], entry["source"])
