"""90 % intervals from held-out residuals: quantiles of measured / predicted, by slice (planner/speed/intervals.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from speed_cases import Case

from planner.speed.intervals import slice_names

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
    bounds = [next(found[n] for n in names_of(case) if n in found) for case in cases]
    low, high = (np.log([getattr(b, end) for b in bounds]) for end in ("low", "high"))
    return (errors >= low) & (errors <= high)


def report_coverage(cases: Sequence[Case], held: np.ndarray) -> None:
    """The slices of 30 rows and more whose intervals hold less than 75 %."""
    groups: dict[str, list[bool]] = {}
    for case, one in zip(cases, held, strict=True):
        groups.setdefault(names_of(case)[0], []).append(bool(one))
    large = {name: ones for name, ones in groups.items() if len(ones) >= REPORTED_FROM}
    low = {name: ones for name, ones in large.items() if np.mean(ones) < 0.75}
    print(f"    {len(large)} slices of {REPORTED_FROM} rows and more, {len(low)} of them below 75 %", end="")
    print("".join(f"\n      {np.mean(ones):.0%} of {len(ones)} rows: {name}" for name, ones in low.items()))


def supports(cases: Sequence[Case], errors: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """For each measured engine, kernel and GPU class: sources, and the interval of each figure of a plan."""
    cases, errors = _of_plans(cases, errors)
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
        tpot = intervals["tpot_ms"]
        intervals["output_tokens_per_s"] = Quantiles(1 / tpot.high, 1 / tpot.low, tpot.rows, tpot.residual)
        sources = Counter(c.source for c, own in zip(cases, nested[0], strict=True) if own)
        found.append(
            {
                "engine": engine,
                "kernel": kernel,
                "gpu_class": group,
                "source": "; ".join(source for source, _ in sources.most_common(3)),
                "intervals": {name: each.rounded() for name, each in intervals.items()},
            }
        )
    return found


def _of_plans(cases: Sequence[Case], errors: Sequence[np.ndarray]) -> tuple[list[Case], list[np.ndarray]]:
    """Those of the modes a plan is about: one server under load, and one stream."""
    planned = np.array([case.mode in ("agg", "stream") for case in cases])
    return [case for case, own in zip(cases, planned, strict=True) if own], [each[planned] for each in errors]
