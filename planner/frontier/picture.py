"""The frontier as a picture: cost against time per token (or USD an hour against tokens a second, by throughput)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from planner.costs.report.charts import Axis, Tick, short_usd
from planner.figures import figure, usd
from planner.frontier.frontier import Frontier, sampled
from planner.frontier.point import Point
from planner.templates import template_directory
from planner.writing import write_aside

WIDTH, HEIGHT = 880, 520
LEFT, RIGHT, TOP, BOTTOM = 72, 210, 62, 52
PALETTE = (
    "#2358b0", "#b0432a", "#1d7a64", "#7a4db3", "#8a5a00", "#4d5966", "#c2185b", "#00838f", "#6a8f1f", "#5d4037",
)  # fmt: skip
MOST_DOTS = 1500


@dataclass(frozen=True, slots=True)
class Dot:
    """One candidate in pixels; `colour` numbers the palette, None for one outside the set."""

    x: float
    y: float
    says: str
    colour: int | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything the template `cost/frontier.svg.j2` draws."""

    title: str
    subtitle: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    others: tuple[Dot, ...]
    avoided: tuple[Dot, ...]
    points: tuple[Dot, ...]
    choices: tuple[Dot, ...]
    legend: tuple[tuple[str, int], ...]
    best: Dot | None
    target: Tick | None

    width, height, left, right, top, bottom = WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM

    def svg(self) -> str:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(template_directory()), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        return environment.get_template("cost/frontier.svg.j2").render(it=self, palette=PALETTE)

    def write(self, path: Path) -> None:
        """Write it as SVG. BadInput when the file cannot be written."""
        write_aside(path, self.svg())


def picture(frontier: Frontier) -> Picture:
    """The set coloured by accelerator, everything else faint, the rule book's choices as diamonds."""
    request = frontier.swept.request
    by_rate = request.objective == "throughput"
    every = [frontier.point(int(number)) for number in sampled(frontier.swept, MOST_DOTS)]
    drawn = [*every, *frontier.points, *frontier.avoided, *frontier.choices]
    x = Axis(*_around(_x(point, by_rate) for point in drawn), LEFT, WIDTH - RIGHT, logarithmic=True)
    y = Axis(*_around(_y(point, by_rate) for point in drawn), HEIGHT - BOTTOM, TOP, logarithmic=True)
    names = list(dict.fromkeys(point.accelerator for point in frontier.points))

    def dot(point: Point, colour: int | None = None) -> Dot:
        return Dot(x.pixel(_x(point, by_rate)), y.pixel(_y(point, by_rate)), _says(point), colour)

    target = request.service_level.tpot_ms
    workload = request.workload
    return Picture(
        title=f"{frontier.model.name}: what nothing else beats",
        subtitle=f"{len(frontier.swept):,} candidates; {workload.input_tokens:,} tokens in, "
        f"{workload.output_tokens:,} out; each copy kept full at its batch limit",
        x_title="output tokens a second" if by_rate else "time per output token, ms",
        y_title="USD an hour" if by_rate else "USD per 1M output tokens",
        x_ticks=x.ticks(figure),
        y_ticks=y.ticks(short_usd),
        others=tuple(dot(point) for point in every if point.standing != "in the set"),
        avoided=tuple(dot(point) for point in frontier.avoided),
        points=tuple(dot(point, names.index(point.accelerator) % len(PALETTE)) for point in frontier.points),
        choices=tuple(dot(point) for point in frontier.choices),
        legend=tuple((name, number % len(PALETTE)) for number, name in enumerate(names)),
        best=dot(frontier.points[0]) if frontier.points else None,
        target=Tick(x.pixel(target), f"target {figure(target)} ms")
        if target and not by_rate and target < x.high
        else None,
    )


def _x(point: Point, by_rate: bool) -> float:
    return point.output_tokens_per_s if by_rate else point.tpot_ms


def _y(point: Point, by_rate: bool) -> float:
    return point.usd_per_hour if by_rate else point.usd_per_1m_output_tokens


def _around(values: Iterable[float]) -> tuple[float, float]:
    listed = list(values)
    return min(listed) / 1.2, max(listed) * 1.2


def _says(point: Point) -> str:
    rule = f"; rule {point.reason} advises against it" if point.reason else ""
    return (
        f"{point.hardware}, {point.format} on {point.engine}, {point.kv_cache} KV, TP {point.tensor_parallel}, "
        f"{point.batch} in flight: {figure(point.tpot_ms)} ms a token, "
        f"{usd(point.usd_per_1m_output_tokens)} per 1M{rule}"
    )
