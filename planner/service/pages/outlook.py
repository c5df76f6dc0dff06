"""The outlook of a plan under its open load, as the page shows it."""

from __future__ import annotations

from typing import Any

from planner.figures import figure
from planner.plan import Outlook, Plan
from planner.serving.telling import COLUMNS, carried


def outlook(plan: Plan) -> dict[str, Any] | None:
    """What the rate that was asked for comes to: waits by percentile, and what the copies carry; None without one."""
    found = plan.outlook
    if found is None:
        return None
    waits = (("time to first token", found.ttft_ms), ("time per output token", found.tpot_ms),
             ("whole request", found.end_to_end_ms))  # fmt: skip
    return {
        "rate": figure(found.requests_per_s),
        "columns": COLUMNS,
        "waits": [(label, [figure(getattr(wait, name)) for name in COLUMNS]) for label, wait in waits if wait],
        "says": f"unknown: {found.abstained}" if found.abstained else carried(plan, found),
        "hint": found.hint,
        "tone": _tone(found),
    }


def _tone(found: Outlook) -> str:
    """How loudly to say it: the server cannot keep up, it misses the targets, or all is well."""
    if found.abstained:
        return ""
    if found.ttft_ms is None:
        return "bad"
    largest = found.largest_requests_per_s
    return "warn" if largest is None or largest < found.requests_per_s else ""
