"""How many requests are let in at once under a rate, where the asker leaves it open."""

from __future__ import annotations

from planner.catalog import load_yaml
from planner.planning.operating import operating_points
from planner.planning.pipeline import Settled
from planner.predicted import OperatingPoint


def enough_at_once(settled: Settled, requests_per_s: float) -> int | None:
    """The fewest that carry the rate with room to spare, within the targets; else those that carry most of it.

    Over all copies. None where the speed model abstains, or where even one request alone misses the targets.
    """
    copies, points = (
        settled.chosen.layout.replicas,
        [point for point in within_targets(settled) if _fits(settled, point)],
    )
    if not points:
        return None
    output_tokens = settled.assessor.request.workload.output_tokens
    busy_share: float = load_yaml("clusters.yaml")["fleet"]["busy_share"]["value"]
    needed = requests_per_s * output_tokens / copies / busy_share
    carrying = (point for point in points if point.output_tokens_per_s.value >= needed)
    most = max(points, key=lambda point: point.output_tokens_per_s.value)
    return next(carrying, most).concurrency * copies


def within_targets(settled: Settled) -> list[OperatingPoint]:
    """The loads of one copy under which the mean waits are within the targets; without targets all of them."""
    level = settled.assessor.request.service_level
    points = operating_points(settled.assessor, settled.chosen)
    return [
        point
        for point in points
        if (level.tpot_ms is None or point.tpot_ms.value <= level.tpot_ms)
        and (level.ttft_ms is None or point.ttft_ms.value <= level.ttft_ms)
    ]


def _fits(settled: Settled, point: OperatingPoint) -> bool:
    """Whether so many still fit: sampling and graphs for more requests take memory from the cache, too."""
    at_once = point.concurrency * settled.chosen.layout.replicas
    workload = settled.assessor.request.workload.model_copy(update={"concurrency": at_once})
    return settled.assessor.under(workload).memory(settled.chosen.choice, settled.chosen.layout).fits
