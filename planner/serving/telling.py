"""The outlook of a plan under its open load in words, for terminal and pages."""

from __future__ import annotations

from planner.figures import figure
from planner.plan import Outlook, Plan

COLUMNS = ("mean", "p50", "p95", "p99")


def carried(plan: Plan, outlook: Outlook) -> str:
    """What the copies carry, up to where they meet the targets, and how many the load takes."""
    capacity, largest = outlook.capacity_requests_per_s, outlook.largest_requests_per_s
    words = f"Carries at most {figure(capacity)} requests/s"
    if outlook.ttft_ms is None:
        words = f"The server cannot keep up with {figure(outlook.requests_per_s)} requests/s: it {words.lower()}"
    level = plan.request.service_level
    if level.ttft_ms is None and level.tpot_ms is None:
        return f"{words}. {_copies(outlook)}"
    if largest is None:
        return f"{words}. A request alone on the server misses the targets already: no number of copies meets them."
    return f"{words}; meets the targets ({level.percentile}) up to {figure(largest)}. {_copies(outlook)}"


def _copies(outlook: Outlook) -> str:
    return f"Copies of the model that this load takes: {outlook.replicas_needed}."
