"""A rate on a cluster held to its percentile: copies are counted again by the simulation of one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from planner.clusters.carrying import Copies
from planner.errors import BadInput
from planner.planning import make_plan
from planner.request import ServiceLevel
from rules.book import Book

MOST_SIMULATED = 6


def is_held_to_percentile(level: ServiceLevel) -> bool:
    return level.percentile != "mean" and (level.ttft_ms is not None or level.tpot_ms is not None)


def cheapest_within_percentile(able: Iterable[Copies], rate: float, book: Book) -> Copies | None:
    """The cheapest that meets the targets at their percentile, with as many copies as that takes; None: nothing does.

    Simulated are the cheapest by their means, until no other can be cheaper. A way that cannot be simulated (stages,
    pools) is not taken: nothing is known of its percentiles.
    """
    best: Copies | None = None
    for copies in sorted(able, key=lambda each: each.usd_per_hour)[:MOST_SIMULATED]:
        if best is not None and copies.usd_per_hour >= best.usd_per_hour:
            break
        held = _with_enough(copies, rate, book)
        if held is not None and held.is_there and (best is None or held.usd_per_hour < best.usd_per_hour):
            best = held
    return best


def _with_enough(copies: Copies, rate: float, book: Book) -> Copies | None:
    from planner.serving.capacity import largest_rate, replicas_for
    from planner.serving.from_plan import server_of
    from planner.serving.outlook import targets_of, traffic_of

    plan = make_plan(copies.request(pinned=True), book=book)
    try:
        each_per_s = largest_rate(server_of(plan), traffic_of(plan, rate), targets_of(plan))
    except BadInput:
        return None
    if not each_per_s:
        return None
    wanted = max(copies.copies, replicas_for(rate, each_per_s))
    more = wanted / copies.copies
    return replace(
        copies, copies=wanted, tokens_per_s=copies.tokens_per_s * more, usd_per_hour=copies.usd_per_hour * more
    )
