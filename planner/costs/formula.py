"""The two formulas everything else rests on (B.cost.formula)."""

from __future__ import annotations

SECONDS_PER_HOUR = 3600
SECONDS_PER_DAY = 86_400
HOURS_PER_YEAR = 8760
HOURS_PER_MONTH = 730
SECONDS_PER_MONTH = HOURS_PER_MONTH * SECONDS_PER_HOUR
MILLION = 1_000_000


def usd_per_1m_tokens(usd_per_hour: float, tokens_per_s: float, utilisation: float = 1.0) -> float:
    """USD for a million tokens = price of an hour / tokens made in that hour x a million (B.cost.formula).

    `utilisation` is the share of the hour the server is busy (0-1]. Raises ZeroDivisionError on zero throughput.
    """
    return usd_per_hour / (tokens_per_s * utilisation * SECONDS_PER_HOUR) * MILLION


def usd_per_month(usd_per_hour: float) -> float:
    """A month of 730 hours (8760 / 12), always on."""
    return usd_per_hour * HOURS_PER_MONTH
