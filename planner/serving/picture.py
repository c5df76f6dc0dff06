"""Waits against load as a picture: time to first token and time per output token, medians and 95th percentiles."""

from __future__ import annotations

from collections.abc import Iterator

from planner.charts import Axis, Chart, Line, Mark, Picture, Point
from planner.figures import figure
from planner.plan import Plan
from planner.serving.answering import Answered, Question
from planner.serving.outcome import Outcome, Waits

SPREAD_OF_A_LOGARITHM = 8
DRAWN = (50, 95)
FIGURES = (("ttft", "time to first token, ms"), ("tpot", "time per output token, ms"))


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
    asked = question.requests_per_s if answered.asked else None
    curves = [Line(label, line, n, marks=tuple(_marks(label, line))) for n, (label, line) in enumerate(lines)]
    return Chart(
        says=f"{title} against requests a second: {says}",
        x=Axis("requests a second", 0, answered.capacity_per_s),
        y=_upright(title, [wait for _, line in (*lines, *level) for _, wait in line]),
        lines=(*curves, *(Line(label, line, len(lines)) for label, line in level)),
        upright=(asked, f"{figure(asked)} requests/s") if asked else None,
    )


def _points(answered: Answered, name: str, percentile: int | None) -> Iterator[Point]:
    for rate, outcome in answered.ladder:
        yield rate, _waits(outcome, name).at(percentile)


def _waits(outcome: Outcome, name: str) -> Waits:
    return outcome.ttft_ms if name == "ttft" else outcome.tpot_ms


def _upright(title: str, values: list[float]) -> Axis:
    """By size from zero; by logarithm where the largest would flatten the rest."""
    low, high = min(values), max(values)
    if low > 0 and high / low > SPREAD_OF_A_LOGARITHM:
        return Axis.around(title, values)
    return Axis.from_zero(title, high)


def _marks(label: str, line: tuple[Point, ...]) -> Iterator[Mark]:
    for rate, wait in line:
        yield Mark(rate, wait, f"{label}: {figure(wait)} ms at {figure(rate)} requests/s")
