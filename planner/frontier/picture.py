"""The frontier as a picture: cost against time per token (or USD an hour against tokens a second, by throughput)."""

from __future__ import annotations

from collections.abc import Iterable

from planner.charts import Axis, Chart, Mark, Picture, Scatter, short_usd
from planner.figures import figure, usd
from planner.frontier.frontier import Frontier, sampled
from planner.frontier.point import Point

MOST_DOTS = 1500
WIDTH, HEIGHT = 880, 460


def picture(frontier: Frontier) -> Picture:
    """The set coloured by accelerator, everything else faint, the rule book's choices as diamonds."""
    workload = frontier.swept.request.workload
    return Picture(
        title=f"{frontier.model.name}: what nothing else beats",
        subtitle=f"{len(frontier.swept):,} candidates; {workload.input_tokens:,} tokens in, "
        f"{workload.output_tokens:,} out; each copy kept full at its batch limit",
        charts=(_chart(frontier),),
    )


def _chart(frontier: Frontier) -> Chart:
    request = frontier.swept.request
    by_rate = request.objective == "throughput"
    every = [frontier.point(int(number)) for number in sampled(frontier.swept, MOST_DOTS)]
    drawn = [*every, *frontier.points, *frontier.avoided, *frontier.choices]
    x_title = "output tokens a second" if by_rate else "time per output token, ms"
    y_title = "USD an hour" if by_rate else "USD per 1M output tokens"
    x = Axis.around(x_title, (_x(point, by_rate) for point in drawn))
    others = [point for point in every if point.standing != "in the set"]
    target = request.service_level.tpot_ms
    return Chart(
        says=f"{y_title} against {x_title}: {len(frontier.points)} of {len(frontier.swept):,} are beaten by no other",
        x=x,
        y=Axis.around(y_title, (_y(point, by_rate) for point in drawn), short_usd),
        scatters=(
            Scatter(_marks(others, by_rate, silent=True), "speck", None, "beaten, or misses a target"),
            Scatter(_marks(frontier.avoided, by_rate), "hollow", label="a rule advises against it"),
            *_by_accelerator(frontier.points, by_rate),
            Scatter(_marks(frontier.points[:1], by_rate), "ring", label="best by the objective"),
            Scatter(_marks(frontier.choices, by_rate), "diamond", label="the rule book's choice"),
        ),
        upright=(target, f"target {figure(target)} ms") if target and not by_rate and target < x.high else None,
        width=WIDTH,
        height=HEIGHT,
    )


def _by_accelerator(points: Iterable[Point], by_rate: bool) -> Iterable[Scatter]:
    listed = list(points)
    for number, name in enumerate(dict.fromkeys(point.accelerator for point in listed)):
        of_it = [point for point in listed if point.accelerator == name]
        yield Scatter(_marks(of_it, by_rate), "dot", number, name)


def _marks(points: Iterable[Point], by_rate: bool, *, silent: bool = False) -> tuple[Mark, ...]:
    return tuple(Mark(_x(point, by_rate), _y(point, by_rate), "" if silent else _says(point)) for point in points)


def _x(point: Point, by_rate: bool) -> float:
    return point.output_tokens_per_s if by_rate else point.tpot_ms


def _y(point: Point, by_rate: bool) -> float:
    return point.usd_per_hour if by_rate else point.usd_per_1m_output_tokens


def _says(point: Point) -> str:
    rule = f"; rule {point.reason} advises against it" if point.reason else ""
    return (
        f"{point.hardware}, {point.format} on {point.engine}, {point.kv_cache} KV, TP {point.tensor_parallel}, "
        f"{point.batch} in flight: {figure(point.tpot_ms)} ms a token, "
        f"{usd(point.usd_per_1m_output_tokens)} per 1M{rule}"
    )
