"""90 % intervals from held-out residuals: quantiles of measured / predicted, by slice (planner/speed/intervals.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from speed_cases import Case

from planner.speed.intervals import slice_names
from planner.speed.measured import WHATEVER

ENOUGH = 20
REPORTED_FROM = 30
OUTSIDE = 0.045


@dataclass(frozen=True)
class Quantiles:
    """Multipliers of a prediction that hold 90 % of the residuals, how many rows speak, and their median size."""

    low: float
    high: float
    rows: int
    residual: float

    @classmethod
    def of(cls, errors: np.ndarray, copies: int) -> Quantiles:
        """`errors`: log(measured / predicted), each row in it `copies` times (held out in several ways)."""
        low, high = np.exp(np.quantile(errors, [OUTSIDE, 1 - OUTSIDE]))
        residual = float(np.median(np.abs(errors)))
        return cls(min(float(low), 0.95), max(float(high), 1.05), len(errors) // copies, residual)

    def rounded(self) -> dict[str, float]:
        return {"low": three(self.low), "high": three(self.high), "rows": self.rows, "residual": three(self.residual)}


def three(value: float) -> float:
    return float(f"{value:.3g}")


def names_of(case: Case) -> tuple[str, ...]:
    """The slices of a case, narrowest first."""
    named = case.question.named
    return slice_names(case.kind, case.mode, named.engine, named.kernel, named.gpu_class)


def slices(cases: Sequence[Case], errors: Sequence[np.ndarray]) -> dict[str, Quantiles]:
    """Every slice with enough rows; `errors` holds one array for each way of holding out."""
    found: dict[str, list[float]] = {}
    for at, case in enumerate(cases):
        for name in dict.fromkeys(names_of(case)):
            found.setdefault(name, []).extend(each[at] for each in errors)
    enough = ENOUGH * len(errors)
    return {n: Quantiles.of(np.array(e), len(errors)) for n, e in sorted(found.items()) if len(e) >= enough}


def inside(cases: Sequence[Case], found: dict[str, Quantiles], errors: np.ndarray) -> np.ndarray:
    """True where a measurement lies in the interval of its slice."""
    return np.array([_holds((_speaking(case, found),), error) for case, error in zip(cases, errors, strict=True)])


def inside_unfamiliar(
    cases: Sequence[Case], held_out: Sequence[np.ndarray], errors: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """True where a measurement lies in the interval that is made without its group: of its slice and of all slices."""
    held = np.zeros(len(cases), bool)
    for group in set(groups):
        out = np.flatnonzero(groups == group)
        others = np.flatnonzero(groups != group)
        found = slices([cases[at] for at in others], [each[others] for each in held_out])
        for at in out:
            whole = found.get(names_of(cases[at])[-1])
            bounds = (_speaking(cases[at], found), whole) if whole else ()
            held[at] = _holds(bounds, errors[at])
    return held


def _speaking(case: Case, found: dict[str, Quantiles]) -> Quantiles:
    return next(found[name] for name in names_of(case) if name in found)


def _holds(bounds: Sequence[Quantiles], error: float) -> bool:
    """Whether the widest of these holds a residual; False where there is none."""
    return bool(bounds) and min(b.low for b in bounds) <= np.exp(error) <= max(b.high for b in bounds)


def report_coverage(cases: Sequence[Case], held: np.ndarray) -> None:
    """The slices of 30 rows and more whose intervals hold less than 75 %."""
    groups: dict[str, list[bool]] = {}
    for case, one in zip(cases, held, strict=True):
        groups.setdefault(names_of(case)[0], []).append(bool(one))
    large = {name: ones for name, ones in groups.items() if len(ones) >= REPORTED_FROM}
    low = {name: ones for name, ones in large.items() if np.mean(ones) < 0.75}
    print(f"    {len(large)} slices of {REPORTED_FROM} rows and more, {len(low)} of them below 75 %", end="")
    print("".join(f"\n      {np.mean(ones):.0%} of {len(ones)} rows: {name}" for name, ones in low.items()))


def supports(cases: Sequence[Case], folds: np.ndarray, held_out: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """For each measured engine, kernel and GPU class: sources, and the interval of each figure of a plan; last, for
    what no fit has seen, those of everything."""
    everything = _whole(*_of_plans(cases, held_out))
    cases, errors = _of_plans(cases, [folds])
    keys = [(c.question.named.engine, c.question.named.kernel, c.question.named.gpu_class) for c in cases]
    kinds = np.array([c.kind for c in cases])
    found = []
    for engine, kernel, group in sorted(set(keys)):
        nested = [
            np.array([k == (engine, kernel, group) for k in keys]),
            np.array([k[:2] == (engine, kernel) for k in keys]),
            np.array([k[1:] == (kernel, group) for k in keys]),
            np.array([k[1] == kernel for k in keys]),
            np.array([k[0] == engine for k in keys]),
            np.ones(len(keys), bool),
        ]
        intervals = {}
        for kind in ("ttft_ms", "tpot_ms"):
            chosen = next(n & (kinds == kind) for n in nested if (n & (kinds == kind)).sum() >= ENOUGH)
            intervals[kind] = Quantiles.of(np.concatenate([e[chosen] for e in errors]), len(errors))
        sources = Counter(c.source for c, own in zip(cases, nested[0], strict=True) if own)
        found.append(
            {
                "engine": engine,
                "kernel": kernel,
                "gpu_class": group,
                "source": "; ".join(source for source, _ in sources.most_common(3)),
                "intervals": _with_rate(intervals),
            }
        )
    return [*found, everything]


def _whole(cases: Sequence[Case], errors: Sequence[np.ndarray]) -> dict[str, Any]:
    """The intervals of all that a plan is about, of what was held out."""
    kinds = np.array([case.kind for case in cases])
    intervals = {
        kind: Quantiles.of(np.concatenate([each[kinds == kind] for each in errors]), len(errors))
        for kind in ("ttft_ms", "tpot_ms")
    }
    names = dict(zip(("engine", "kernel", "gpu_class"), WHATEVER, strict=True))
    return {**names, "source": "all of the above, models and GPU types held out", "intervals": _with_rate(intervals)}


def _with_rate(intervals: dict[str, Quantiles]) -> dict[str, dict[str, float]]:
    """Tokens a second vary as the time between tokens does."""
    tpot = intervals["tpot_ms"]
    rate = Quantiles(1 / tpot.high, 1 / tpot.low, tpot.rows, tpot.residual)
    return {name: each.rounded() for name, each in {**intervals, "output_tokens_per_s": rate}.items()}


def _of_plans(cases: Sequence[Case], errors: Sequence[np.ndarray]) -> tuple[list[Case], list[np.ndarray]]:
    """Those of the modes a plan is about: one server under load, and one stream."""
    planned = np.array([case.mode in ("agg", "stream") for case in cases])
    return [case for case, own in zip(cases, planned, strict=True) if own], [each[planned] for each in errors]
