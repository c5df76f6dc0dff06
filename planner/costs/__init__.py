"""What serving costs: from the price of an hour to USD per million tokens, per month, and against an API."""

from planner.costs.formula import usd_per_1m_tokens, usd_per_month

__all__ = ["usd_per_1m_tokens", "usd_per_month"]
