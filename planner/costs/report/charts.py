"""Two charts as data: USD a month against load, and USD per million output tokens against latency."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log10

from planner.costs.case import Case
from planner.costs.comparison import Comparison
from planner.figures import figure, usd

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 74, 44, 28, 46
LABEL_HEIGHT = 14
MOST_STEPS = 150
TICKS = 6
DASHES = ("", "7 4", "2 4", "10 4 2 4", "5 5", "1 3")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis, in pixels, with its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Series:
    """One line in pixels. `colour` numbers the palette; `dots` are marked points, each with what it says."""

    label: str
    points: tuple[Point, ...]
    colour: int
    dash: str
    dots: tuple[tuple[float, float, str, bool], ...] = ()
    label_y: float = 0.0

    @property
    def path(self) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.points)


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything the template `cost/chart.svg.j2` draws."""

    name: str
    says: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    series: tuple[Series, ...]
    asked: Tick | None = None

    width, height = WIDTH, HEIGHT
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps values to pixels, by their size or by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def pixel(self, value: float) -> float:
        low, high, here = (self._scaled(v) for v in (self.low, self.high, value))
        return self.start + (here - low) / (high - low or 1) * (self.end - self.start)

    def _scaled(self, value: float) -> float:
        return log10(value) if self.logarithmic else value

    def ticks(self, label: Callable[[float], str]) -> tuple[Tick, ...]:
        values = _decades(self.low, self.high) if self.logarithmic else _even(self.high)
        return tuple(Tick(self.pixel(value), label(value)) for value in values if self.low <= value <= self.high)


def load_chart(comparison: Comparison) -> Chart:
    """USD a month in steps of whole copies, and the API as a line where one is given."""
    most = comparison.largest_load
    lines = [(case.label, tuple(_staircase(case, most))) for case in comparison.cases]
    if comparison.terms.api:
        lines.append(("API", ((0.0, 0.0), (most, comparison.api_month(comparison.terms.api, most)))))
    x = Axis(0, most, LEFT, WIDTH - RIGHT)
    dearest = max(cost for _, points in lines for _, cost in points)
    y = Axis(0, 1.06 * dearest or 1.0, HEIGHT - BOTTOM, TOP)
    asked = comparison.terms.requests_per_s
    return Chart(
        "load",
        "USD a month against requests a second: " + "; ".join(_last(label, points) for label, points in lines),
        "requests a second",
        "USD a month",
        x.ticks(figure),
        y.ticks(short_usd),
        labelled(series_of(label, points, n, x, y) for n, (label, points) in enumerate(lines)),
        Tick(x.pixel(asked), f"{figure(asked)} requests/s") if asked else None,
    )


def latency_chart(comparison: Comparison) -> Chart | None:
    """USD per 1M output tokens against time per output token, one copy at rising concurrency; None: nothing to show."""
    curves = [(case, latency_points(case)) for case in comparison.cases]
    every = [point for _, points in curves for point in points]
    if not every or min(cost for _, cost in every) <= 0:
        return None
    x = Axis(*_around([latency for latency, _ in every]), LEFT, WIDTH - RIGHT, logarithmic=True)
    y = Axis(*_around([cost for _, cost in every]), HEIGHT - BOTTOM, TOP, logarithmic=True)
    series = [
        series_of(case.label, points, n, x, y, tuple(_dots(case, points, x, y)))
        for n, (case, points) in enumerate(curves)
        if points
    ]
    return Chart(
        "latency",
        "USD per 1M output tokens against time per output token: "
        + "; ".join(_last(s[0].label, s[1]) for s in curves if s[1]),
        "time per output token, ms",
        "USD per 1M output tokens",
        x.ticks(figure),
        y.ticks(short_usd),
        labelled(series),
    )


def latency_points(case: Case) -> tuple[Point, ...]:
    """(ms per output token, USD per 1M output tokens) of each operating point, fewest requests in flight first."""
    return tuple((point.tpot_ms.value, case.usd_per_1m_output_at(point).value) for point in case.plan.operating_points)


def short_usd(value: float) -> str:
    """Dollars for an axis: `$12k`, `$1.5M`."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"${value / size:g}{unit}"
    return f"${value:g}"


def _staircase(case: Case, most: float) -> Iterator[Point]:
    """The corners of the cost of whole copies; few enough to draw."""
    capacity, each = case.planned_requests_per_s_a_copy, case.usd_per_hour_a_copy * 730
    steps = ceil(most / capacity - 1e-9)
    stride = max(1, ceil(steps / MOST_STEPS))
    for copies in range(stride, steps + stride, stride):
        yield ((copies - stride) * capacity, copies * each)
        yield (min(copies * capacity, most), copies * each)


def _dots(case: Case, points: Sequence[Point], x: Axis, y: Axis) -> Iterator[tuple[float, float, str, bool]]:
    planned = -(-case.workload.concurrency // case.copies)
    for point, (latency, cost) in zip(case.plan.operating_points, points, strict=True):
        says = f"{case.label}: {point.concurrency} in flight, {figure(latency)} ms a token, {usd(cost)} per 1M"
        yield x.pixel(latency), y.pixel(cost), says, point.concurrency == planned


def series_of(
    label: str,
    points: Sequence[Point],
    number: int,
    x: Axis,
    y: Axis,
    dots: tuple[tuple[float, float, str, bool], ...] = (),
) -> Series:
    pixels = tuple((x.pixel(px), y.pixel(py)) for px, py in points)
    return Series(label, pixels, number % 6, DASHES[number % len(DASHES)], dots)


def labelled(series: Iterable[Series]) -> tuple[Series, ...]:
    """The lines with their labels at their ends, those that would cover each other moved apart."""
    found = list(series)
    placed: list[tuple[float, float]] = []
    for number in sorted(range(len(found)), key=lambda n: found[n].points[-1][1]):
        x, y = found[number].points[-1]
        near = [other for at, other in placed if abs(at - x) < 3 * LABEL_HEIGHT]
        y = max([y, *(other + LABEL_HEIGHT for other in near)])
        placed.append((x, y))
        found[number] = replace(found[number], label_y=y)
    return tuple(found)


def _last(label: str, points: Sequence[Point]) -> str:
    x, y = points[-1]
    return f"{label} ends at {usd(y)} at {figure(x)}"


def _around(values: Sequence[float]) -> Point:
    return min(values) / 1.25, max(values) * 1.25


def _even(high: float) -> Iterator[float]:
    """Zero and round steps."""
    rough = high / TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(power * n for n in (1, 2, 2.5, 5, 10) if power * n >= rough)
    yield from (round(step * n, 12) for n in range(int(high / step) + 1))


def _decades(low: float, high: float) -> Iterator[float]:
    """1, 2, 5 of each decade."""
    for power in range(floor(log10(low)), ceil(log10(high)) + 1):
        yield from (n * 10.0**power for n in (1, 2, 5))
