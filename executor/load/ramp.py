"""The largest load that still meets the service level: doubled until it does not, then halved in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from planner.request import ServiceLevel

Summary = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Point:
    """One load that was tried: requests at once (or a second), what was measured, and which targets it missed."""

    load: float
    summary: Summary
    missed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ramp:
    """Every load tried, in order; `largest` is the largest that met the level, None where none did.

    `is_bounded`: a larger load was tried and missed, so the answer is not just where the ramp stopped.
    """

    points: tuple[Point, ...]

    @property
    def largest(self) -> Point | None:
        met = [point for point in self.points if not point.missed]
        return max(met, key=lambda point: point.load, default=None)

    @property
    def is_bounded(self) -> bool:
        return any(point.missed for point in self.points)


async def ramp(
    measure: Callable[[float], Awaitable[Summary]],
    level: ServiceLevel,
    *,
    at: str = "p95",
    first: float = 1.0,
    most: float = 256.0,
    resolution: float = 1.0,
) -> Ramp:
    """Find the largest load up to `most` whose `at` (mean, p50, p95, p99) meets the level, within `resolution`.

    A load with failed requests misses it. Assumes that a larger load is never the better one.
    """
    points: list[Point] = []

    async def misses(load: float) -> bool:
        summary = await measure(load)
        points.append(Point(load, summary, tuple(missed_targets(summary, level, at))))
        return bool(points[-1].missed)

    low, high = 0.0, first
    while not await misses(high):
        low = high
        if high >= most:
            return Ramp(tuple(points))
        high = min(high * 2, most)
    while high - low > resolution:
        middle = low + max(resolution, (high - low) // (2 * resolution) * resolution)
        if await misses(middle):
            high = middle
        else:
            low = middle
    return Ramp(tuple(points))


def missed_targets(summary: Summary, level: ServiceLevel, at: str) -> list[str]:
    """Which targets a test missed, in words; a target that could not be measured is missed."""
    missed = [f"{summary['errors']} of {summary['requests']} requests failed"] if summary["errors"] else []
    for name, target in (("ttft_ms", level.ttft_ms), ("tpot_ms", level.tpot_ms)):
        if target is None:
            continue
        measured = (summary.get(name) or {}).get(at)
        if measured is None:
            missed.append(f"{at} {name} was not measured")
        elif measured > target:
            missed.append(f"{at} {name} {measured:.3g} is above {target:g}")
    return missed
