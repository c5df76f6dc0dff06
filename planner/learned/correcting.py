"""A prediction corrected by what was measured on the same machine.

ln(measured / predicted) of a run is taken as c + e: c is the machine's own and stays, e differs from run to run. The
prediction's interval is what is known of c + e beforehand; n runs narrow c as in any normal model with known spread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import exp, log, sqrt
from statistics import fmean

from planner.catalog import load_yaml
from planner.learned.lessons import Lesson
from planner.speed.estimate import Estimate, Speed

NINETY_PERCENT = 1.645  # standard deviations either side of the mean of a normal distribution
FIGURES = ("ttft_ms", "tpot_ms", "output_tokens_per_s")


def corrected(speed: Speed, lessons: Sequence[Lesson], configuration: str, *, on_accelerators: bool = False) -> Speed:
    """The three figures, each corrected by its own lessons."""
    if not lessons:
        return speed
    spreads = load_yaml("learning.yaml")["on_accelerators" if on_accelerators else "run_to_run"]
    found = {name: _figure(name, getattr(speed, name), lessons, configuration, spreads) for name in FIGURES}
    return replace(
        speed, ttft_ms=found["ttft_ms"], tpot_ms=found["tpot_ms"], output_tokens_per_s=found["output_tokens_per_s"]
    )


def _figure(
    name: str, estimate: Estimate, lessons: Sequence[Lesson], configuration: str, spreads: Mapping[str, float]
) -> Estimate:
    """Narrowed by runs of the very same configuration; else shifted, at the same width, by runs of others."""
    if not estimate.value or not estimate.low or not estimate.high:
        return estimate
    about = [lesson for lesson in lessons if lesson.figure == name]
    same = [lesson for lesson in about if lesson.configuration == configuration]
    if same:
        return narrowed(estimate, same, pooled_spread(spreads[name], int(spreads["runs"]), same))
    return shifted(estimate, about) if about else estimate


def narrowed(estimate: Estimate, lessons: Sequence[Lesson], spread: float) -> Estimate:
    """The mean of c given the runs, and the interval of one more run; never wider than before, never below `spread`."""
    before = width(estimate)
    own = max(before**2 - spread**2, 0.0)
    if own == 0.0:
        return estimate
    shift, left = posterior(lessons, own, spread**2)
    half = NINETY_PERCENT * min(before, sqrt(left + spread**2))
    value = (estimate.value or 0.0) * exp(shift)
    return told(replace(estimate, value=value, low=value * exp(-half), high=value * exp(half)), estimate, lessons, "")


def shifted(estimate: Estimate, lessons: Sequence[Lesson]) -> Estimate:
    """Moved by the part that is the machine's own; another model or load may still be as far off as ever."""
    variance, share = width(estimate) ** 2, float(load_yaml("learning.yaml")["machine_share"]["value"])
    shift, _ = posterior(lessons, variance * share, variance * (1 - share))
    return told(estimate.times(exp(shift)), estimate, lessons, " with another model or load")


def posterior(lessons: Sequence[Lesson], own: float, between: float) -> tuple[float, float]:
    """Mean and variance of the machine's own part: prior variance `own`, each run off by variance `between`."""
    count, mean = len(lessons), fmean(log(lesson.measured / lesson.predicted) for lesson in lessons)
    weight = own / (own + between / count)
    return weight * mean, own * (1 - weight)


def width(estimate: Estimate) -> float:
    """The standard deviation, in ln, that the estimate's 90 % interval says."""
    return log((estimate.high or 1.0) / (estimate.low or 1.0)) / (2 * NINETY_PERCENT)


def pooled_spread(known: float, runs: int, lessons: Sequence[Lesson]) -> float:
    """How far runs of one configuration lie apart: what is known from so many runs, pooled with these runs' own."""
    degrees = runs - 1
    logs = [log(lesson.measured / lesson.predicted) for lesson in lessons]
    own = sum((value - fmean(logs)) ** 2 for value in logs)
    return sqrt((degrees * known**2 + own) / (degrees + len(logs) - 1))


def told(found: Estimate, before: Estimate, lessons: Sequence[Lesson], how: str) -> Estimate:
    """The estimate with where it comes from: the latest run, how many more, and the constants' own source."""
    latest = max(lessons, key=lambda lesson: lesson.measured_at)
    more = f" and {len(lessons) - 1} more" if len(lessons) > 1 else ""
    where = f"on the same hardware elsewhere (executor {latest.executor[:8]})" if latest.executor else "on this machine"
    source = f"measured {where}{how}, run {latest.run_id}{more}; before: {before.source}"
    return replace(found, source=source, before_learning=before.value)
