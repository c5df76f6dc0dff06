"""90 % intervals from residuals: quantiles of measured / predicted, by slice; wider slices help where rows are few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from speed_fitting import Table

ENOUGH = 30
OUTSIDE = 0.05


@dataclass(frozen=True)
class Quantiles:
    """Multipliers of a prediction that hold 90 % of the residuals, how many rows speak, and their median size."""

    low: float
    high: float
    rows: int
    residual: float


@dataclass(frozen=True)
class Residuals:
    """log(measured / predicted) of all cases, in sample and held out, with the slice each belongs to."""

    values: np.ndarray
    keys: np.ndarray

    @classmethod
    def of(cls, table: Table, errors: Sequence[np.ndarray]) -> Residuals:
        keys = slices(table)
        return cls(np.concatenate(errors), np.concatenate([keys] * len(errors)))

    def quantiles(self, engine: str, kernel: str, gpu_class: str, figure: str) -> Quantiles | None:
        """Of the narrowest slices that together have enough rows; None where the engine has none for that figure."""
        copies = 2
        parts = self.keys == np.array([engine, kernel, gpu_class, figure])
        nested = (parts.all(axis=1), parts[:, [0, 1, 3]].all(axis=1), parts[:, [0, 3]].all(axis=1))
        own = int(nested[0].sum()) // copies
        chosen = next((n for n in nested if n.sum() // copies >= ENOUGH), nested[-1])
        if not chosen.any():
            return None
        low, high = np.exp(np.quantile(self.values[chosen], [OUTSIDE, 1 - OUTSIDE]))
        residual = float(np.median(np.abs(self.values[chosen])))
        return Quantiles(min(float(low), 0.95), max(float(high), 1.05), own or int(chosen.sum()) // copies, residual)


def slices(table: Table) -> np.ndarray:
    return np.stack([table.column(name) for name in ("engine", "kernel", "gpu_class", "figure")], axis=1)


def coverage(table: Table, residuals: Residuals, errors: np.ndarray) -> float:
    """The part of the errors inside the interval of their slice."""
    inside = np.zeros(len(errors), bool)
    keys = slices(table)
    for key in sorted(set(map(tuple, keys))):
        rows = (keys == np.array(key)).all(axis=1)
        found = residuals.quantiles(*key)
        inside[rows] = (errors[rows] >= np.log(found.low)) & (errors[rows] <= np.log(found.high))
        if rows.sum() >= ENOUGH and inside[rows].mean() < 0.75:
            print(f"  low coverage {inside[rows].mean():.0%} of {rows.sum()} rows: {' '.join(key)}")
    return float(inside.mean())
