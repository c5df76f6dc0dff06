"""Waits against load as a picture: time to first token and time per output token, medians and 95th percentiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from planner.costs.report.charts import BOTTOM as FOOT
from planner.costs.report.charts import HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, Chart, Point, Tick, labelled, series_of
from planner.figures import figure
from planner.plan import Plan
from planner.serving.answering import Answered, Question
from planner.serving.outcome import Outcome, Waits
from planner.templates import template_directory
from planner.writing import write_aside

TITLE_HEIGHT = 58
SPREAD_OF_A_LOGARITHM = 8
DRAWN = (50, 95)
FIGURES = (("ttft", "time to first token, ms"), ("tpot", "time per output token, ms"))


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything the template `serving/latency.svg.j2` draws: charts below each other."""

    title: str
    subtitle: str
    charts: tuple[Chart, ...]

    width, top = WIDTH, TITLE_HEIGHT

    @property
    def height(self) -> int:
        return TITLE_HEIGHT + sum(chart.height for chart in self.charts)

    def svg(self) -> str:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        from planner.costs.report.page import PRINTED

        environment = Environment(
            loader=FileSystemLoader(template_directory()), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        return environment.get_template("serving/latency.svg.j2").render(it=self, palette=PRINTED)

    def write(self, path: Path) -> None:
        """Write it as SVG. BadInput when the file cannot be written."""
        write_aside(path, self.svg())


def picture(plan: Plan, question: Question, answered: Answered) -> Picture:
    """Both waits at every load of the ladder, the targets as level lines, the load asked for as an upright one."""
    targets, chosen = question.targets, plan.chosen
    by = f"targets are of the {'mean' if targets.percentile is None else f'{targets.percentile}th percentile'}; "
    return Picture(
        title=f"{plan.model.name} in {chosen.format} on {chosen.engine}, {plan.hardware.label}",
        subtitle=f"{question.input_tokens:,} tokens in, {question.output_tokens:,} out; "
        + (by if targets.ttft_ms or targets.tpot_ms else "")
        + f"simulated; carries at most {figure(answered.capacity_per_s)} requests/s",
        charts=tuple(
            _chart(name, title, target, question, answered)
            for (name, title), target in zip(FIGURES, (targets.ttft_ms, targets.tpot_ms), strict=True)
        ),
    )


def _chart(name: str, title: str, target: float | None, question: Question, answered: Answered) -> Chart:
    percentiles = DRAWN if target is None else tuple(dict.fromkeys((*DRAWN, question.targets.percentile)))
    lines = [(f"p{n}" if n else "mean", tuple(_points(answered, name, n))) for n in percentiles]
    says = "; ".join(f"{label} from {figure(line[0][1])} to {figure(line[-1][1])}" for label, line in lines)
    end = max(rate for rate, _ in answered.ladder)
    level = [(f"{figure(target)} ms", ((0.0, target), (end, target)))] if target else []
    x = Axis(0, answered.capacity_per_s, LEFT, WIDTH - RIGHT)
    y = _upright(tuple(wait for _, line in (*lines, *level) for _, wait in line))
    asked = question.requests_per_s if answered.asked else None
    curves = [series_of(label, line, n, x, y, tuple(_dots(label, line, x, y))) for n, (label, line) in enumerate(lines)]
    levels = [series_of(label, line, len(lines), x, y) for label, line in level]
    return Chart(
        name,
        f"{title} against requests a second: {says}",
        "requests a second",
        title,
        x.ticks(figure),
        y.ticks(figure),
        labelled([*curves, *levels]),
        Tick(x.pixel(asked), f"{figure(asked)} requests/s") if asked else None,
    )


def _points(answered: Answered, name: str, percentile: int | None) -> Iterator[Point]:
    for rate, outcome in answered.ladder:
        yield rate, _waits(outcome, name).at(percentile)


def _waits(outcome: Outcome, name: str) -> Waits:
    return outcome.ttft_ms if name == "ttft" else outcome.tpot_ms


def _upright(values: tuple[float, ...]) -> Axis:
    """By size from zero; by logarithm where the largest would flatten the rest."""
    low, high = min(values), max(values)
    if low > 0 and high / low > SPREAD_OF_A_LOGARITHM:
        return Axis(low / 1.25, high * 1.25, HEIGHT - FOOT, TOP, logarithmic=True)
    return Axis(0, 1.06 * high or 1.0, HEIGHT - FOOT, TOP)


def _dots(label: str, line: tuple[Point, ...], x: Axis, y: Axis) -> Iterator[tuple[float, float, str, bool]]:
    for rate, wait in line:
        yield x.pixel(rate), y.pixel(wait), f"{label}: {figure(wait)} ms at {figure(rate)} requests/s", False
