"""From which load on serving yourself is cheaper than an API, and which of two plans is cheaper at which load.

Copies come whole, so cost rises in steps while an API's rises in a line: there can be a first load at which serving
yourself is cheaper, and a later one from which it stays cheaper.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from planner.costs.case import ALMOST, Case
from planner.costs.formula import SECONDS_PER_MONTH, usd_per_month
from planner.costs.terms import ApiPrice


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Requests a second: `first` where serving costs as much as the API, `always` from where it stays cheaper.

    Both None: never, because even a full copy costs `usd_per_request`, more than the API's `api_usd_per_request`.
    """

    first: float | None
    always: float | None
    usd_per_request: float
    api_usd_per_request: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """Loads between two requests a second, and the label of the plan that is cheaper there; None: either."""

    from_requests_per_s: float
    to_requests_per_s: float
    cheaper: str | None


def against_api(case: Case, api: ApiPrice) -> BreakEven:
    """The loads at which this plan breaks even with the API."""
    asked = api.usd_per_request(case.workload, case.terms.cached_share)
    own = case.usd_per_request_when_full
    if own >= asked:
        return BreakEven(None, None, own, asked)
    if own == 0:
        return BreakEven(0.0, 0.0, own, asked)
    one_copy = usd_per_month(case.usd_per_hour_a_copy) / (asked * SECONDS_PER_MONTH)
    steps = ceil(1 / (asked / own - 1) - ALMOST)
    return BreakEven(one_copy, max(steps, 1) * one_copy, own, asked)


def against_plan(a: Case, b: Case, up_to_requests_per_s: float) -> tuple[Stretch, ...]:
    """Which of two plans is cheaper at which load, from nothing up to this load."""
    ends = sorted({*_steps(a, up_to_requests_per_s), *_steps(b, up_to_requests_per_s), up_to_requests_per_s})
    found: list[Stretch] = []
    start = 0.0
    for end in ends:
        cheaper = _cheaper(a, b, (start + end) / 2)
        if found and found[-1].cheaper == cheaper:
            found[-1] = Stretch(found[-1].from_requests_per_s, end, cheaper)
        else:
            found.append(Stretch(start, end, cheaper))
        start = end
    return tuple(found)


def _steps(case: Case, up_to: float) -> Iterator[float]:
    """The loads at which one more copy is needed."""
    capacity = case.planned_requests_per_s_a_copy
    yield from (capacity * copies for copies in range(1, int(up_to / capacity) + 1))


def _cheaper(a: Case, b: Case, requests_per_s: float) -> str | None:
    first, second = (
        case.usd_per_hour_a_copy * case.copies_for(requests_per_s, case.requests_per_s_a_copy()) for case in (a, b)
    )
    if abs(first - second) <= ALMOST * max(first, second):
        return None
    return a.label if first < second else b.label
