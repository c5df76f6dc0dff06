"""A simulated day as a picture: copies that serve against the hour, and the part of the requests within targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from string import ascii_uppercase

from planner.charts import Axis, Chart, Line, Picture, Point
from planner.figures import figure, usd
from planner.scale.answering import Simulated
from planner.scale.day import Series

POINTS = 288  # one for five minutes of a day
SECONDS_PER_HOUR, DAY_HOURS, HOURS_A_TICK = 3600, 24, 3


def picture(days: Sequence[Simulated]) -> Picture:
    """Three charts below each other, of five minutes a point: mean load, most copies, least within their targets."""
    requests = sum(day.counts.requests for day in days)
    within = sum(day.counts.within for day in days) / requests if requests else 1.0
    known = [day.usd for day in days if day.usd is not None]
    cost = f"; {usd(sum(known))}" if len(known) == len(days) else ""
    return Picture(
        title=f"A simulated day: {within:.2%} within targets{cost}",
        subtitle=", ".join(f"{label} {day.name}".strip() for label, day in _labelled(days)),
        charts=(
            _chart(days, "load", "requests a second", lambda series: series.offered_per_s, _mean),
            _chart(days, "copies", "copies that serve", lambda series: series.serving, max, whole=True),
            _chart(days, "within", "requests within targets, %", _percent, min),
        ),
    )


def _labelled(days: Sequence[Simulated]) -> list[tuple[str, Simulated]]:
    """Days with a letter each, where there are several: names are too long for the end of a line."""
    return [(ascii_uppercase[number % 26] if len(days) > 1 else "", day) for number, day in enumerate(days)]


def _percent(series: Series) -> list[float]:
    return [100 * part for part in series.within]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _chart(
    days: Sequence[Simulated],
    name: str,
    title: str,
    values_of: Callable[[Series], Sequence[float]],
    together: Callable[[Sequence[float]], float],
    *,
    whole: bool = False,
) -> Chart:
    lines = [(label, tuple(_points(day, values_of(day.series), together))) for label, day in _labelled(days)]
    hours = max(day.seconds for day in days) / SECONDS_PER_HOUR
    tops = [max(value for _, value in line) for _, line in lines]
    says = "; ".join(f"{day.name} up to {figure(top)}" for day, top in zip(days, tops, strict=True))
    return Chart(
        says=f"{title} against the hour: {says}",
        x=Axis("hour", 0, hours, tick_every=HOURS_A_TICK if hours <= DAY_HOURS else None),
        y=Axis.from_zero(title, max(tops), whole=whole),
        lines=tuple(Line(label, line, number) for number, (label, line) in enumerate(lines)),
    )


def _points(day: Simulated, values: Sequence[float], together: Callable[[Sequence[float]], float]) -> Iterator[Point]:
    stride = max(1, len(values) // POINTS)
    for start in range(0, len(values), stride):
        yield start * day.step_s / SECONDS_PER_HOUR, together(values[start : start + stride])
