"""Two charts: USD a month against load, and USD per million output tokens against latency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from planner.charts import Axis, Chart, Line, Mark, Point, short_usd
from planner.costs.case import Case
from planner.costs.comparison import Comparison
from planner.figures import figure, usd

MOST_STEPS = 150
COLOURS = 6


def load_chart(comparison: Comparison) -> Chart:
    """USD a month in steps of whole copies, and the API as a line where one is given."""
    most = comparison.largest_load
    lines = [(case.label, tuple(_staircase(case, most))) for case in comparison.cases]
    if comparison.terms.api:
        lines.append(("API", ((0.0, 0.0), (most, comparison.api_month(comparison.terms.api, most)))))
    dearest = max(cost for _, points in lines for _, cost in points)
    asked = comparison.terms.requests_per_s
    return Chart(
        says="USD a month against requests a second: " + "; ".join(_last(label, points) for label, points in lines),
        x=Axis("requests a second", 0, most),
        y=Axis.from_zero("USD a month", dearest, short_usd),
        lines=tuple(Line(label, points, n % COLOURS) for n, (label, points) in enumerate(lines)),
        upright=(asked, f"{figure(asked)} requests/s") if asked else None,
    )


def latency_chart(comparison: Comparison) -> Chart | None:
    """USD per 1M output tokens against time per output token, one copy at rising concurrency; None: nothing to show."""
    curves = [curve for n, case in enumerate(comparison.cases) if (curve := _curve(case, n % COLOURS)).points]
    latencies = [latency for curve in curves for latency, _ in curve.points]
    costs = [cost for curve in curves for _, low, high in curve.band for cost in (low, high)]
    if not costs or min(costs) <= 0:
        return None
    return Chart(
        says="USD per 1M output tokens against time per output token: "
        + "; ".join(_last(curve.label, curve.points) for curve in curves),
        x=Axis.around("time per output token, ms", latencies),
        y=Axis.around("USD per 1M output tokens", costs, short_usd),
        lines=tuple(curves),
    )


def _curve(case: Case, colour: int) -> Line:
    """Each operating point, fewest requests in flight first, the planned number marked."""
    points = case.plan.operating_points
    costs = [case.usd_per_1m_output_at(point) for point in points]
    latencies = [point.tpot_ms.value for point in points]
    planned = -(-case.workload.concurrency // case.copies)
    marks = [
        Mark(
            latency,
            cost.value,
            f"{case.label}: {point.concurrency} in flight, {figure(latency)} ms a token, {usd(cost.value)} per 1M",
            chosen=point.concurrency == planned,
        )
        for point, latency, cost in zip(points, latencies, costs, strict=True)
    ]
    band = tuple((latency, cost.low, cost.high) for latency, cost in zip(latencies, costs, strict=True))
    return Line(case.label, tuple((mark.x, mark.y) for mark in marks), colour, band, tuple(marks))


def _staircase(case: Case, most: float) -> Iterator[Point]:
    """The corners of the cost of whole copies; few enough to draw."""
    capacity, each = case.planned_requests_per_s_a_copy, case.usd_per_hour_a_copy * 730
    steps = ceil(most / capacity - 1e-9)
    stride = max(1, ceil(steps / MOST_STEPS))
    for copies in range(stride, steps + stride, stride):
        yield ((copies - stride) * capacity, copies * each)
        yield (min(copies * capacity, most), copies * each)


def _last(label: str, points: Sequence[Point]) -> str:
    x, y = points[-1]
    return f"{label} ends at {usd(y)} at {figure(x)}"
