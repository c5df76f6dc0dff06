"""Fits the constants of the speed model to measurements: least squares on logarithms with a robust loss.

The formulas are the planner's own, fed with arrays; what is fitted, and the priors, are in `speed_parameters`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from speed_cases import Case
from speed_parameters import PRIORS, Parameters
from speed_tables import Table, case_levels, tables_of

from planner.speed.steps import within_datasheet

WEIGHTS = {
    ("agg", "tpot_ms"): 1.0, ("agg", "ttft_ms"): 0.4, ("disagg", "tpot_ms"): 1.0, ("disagg", "ttft_ms"): 0.15,
    ("stream", "tpot_ms"): 1.0, ("stream", "ttft_ms"): 0.3, ("full", "tokens_per_s"): 0.6,
}  # fmt: skip
OF_POOLS = frozenset({"handover_ms", "pool_queue"})
OF_ONE_SERVER = frozenset({"interference", "queue", "crowding", "entry_steps", "dealing_steps", "overflow"})
WITHOUT_EFFECT = {
    "agg": frozenset({"saturation"}) | OF_POOLS,
    "disagg": frozenset({"saturation"}) | OF_ONE_SERVER,
    "stream": frozenset({"saturation", "speculation"}) | OF_ONE_SERVER | OF_POOLS,
    "full": frozenset({"request_ms"}) | OF_ONE_SERVER | OF_POOLS,
}
LESS_TRUSTED = 0.3
CROWDED = -0.2  # a slice of n rows counts like n ** (1 + 2 x this)
ROBUST_FROM = 0.1
DIFFERENCE = 1e-4
# 0: a factor too high counts like the same factor too low; 1: like its percentage
TILT, POOLED_TPOT_TILT = 0.5, 1.0
ROUNDS, GOOD_ENOUGH = 40, 1e-4


@dataclass(frozen=True)
class Problem:
    """Tables with, for each constant, which entries of the vector speak in which row."""

    tables: list[Table]
    design: list[dict[str, np.ndarray]]
    cases: list[Case]
    measured: np.ndarray
    weight: np.ndarray
    tilt: np.ndarray

    @classmethod
    def of(cls, cases: Sequence[Case], parameters: Parameters, few_tokens: Mapping[str, float]) -> Problem:
        tables = tables_of(cases, few_tokens)
        ordered = [case for table in tables for case in table.cases]
        return cls(
            tables=tables,
            design=[_design(table, parameters) for table in tables],
            cases=ordered,
            measured=np.log([case.measured for case in ordered]),
            weight=_weights(ordered),
            tilt=np.array([POOLED_TPOT_TILT if (c.mode, c.kind) == ("disagg", "tpot_ms") else TILT for c in ordered]),
        )

    def logs(self, vector: np.ndarray) -> np.ndarray:
        """log(predicted) of every case."""
        return np.concatenate([_log(t, _values(d, vector)) for t, d in zip(self.tables, self.design, strict=True)])

    def errors(self, vector: np.ndarray) -> np.ndarray:
        """How far each prediction is off, between the logarithm of the ratio and the ratio less one."""
        with np.errstate(over="ignore"):
            return np.expm1(self.tilt * (self.logs(vector) - self.measured)) / self.tilt

    def slopes(self, vector: np.ndarray) -> sparse.csr_matrix:
        """d log(predicted) / d vector, one row a case."""
        blocks = []
        for table, design in zip(self.tables, self.design, strict=True):
            values = _values(design, vector)
            base = _log(table, values)
            parts = []
            for constant, columns in design.items():
                if constant in WITHOUT_EFFECT[table.cases[0].mode]:
                    continue
                nudged = _log(table, {**values, constant: values[constant] * np.exp(DIFFERENCE)})
                slope = (nudged - base) / DIFFERENCE
                parts.append((np.repeat(slope, columns.shape[1]), columns))
            data = np.concatenate([slope.reshape(columns.shape) for slope, columns in parts], axis=1)
            at = np.concatenate([columns for _, columns in parts], axis=1)
            starts = np.arange(0, data.size + 1, data.shape[1])
            blocks.append(sparse.csr_matrix((data.ravel(), at.ravel(), starts), shape=(len(data), len(vector) + 1)))
        return sparse.vstack(blocks).tocsr()[:, :-1]


def best_fit(problem: Problem, parameters: Parameters) -> np.ndarray:
    """The better of two fits, from typical values and from the catalogue's: there is more than one valley."""
    found = [fit(problem, parameters, start) for start in (parameters.typical, parameters.of_the_catalogue())]
    return min(found, key=lambda vector: _cost(problem, parameters, vector, problem.errors(vector)))


def fit(problem: Problem, parameters: Parameters, start: np.ndarray, rounds: int = ROUNDS) -> np.ndarray:
    """The vector that fits best: Gauss-Newton steps, damped, errors beyond ROBUST_FROM counting like their root."""
    vector = start.copy()
    prior, damping = parameters.spread**-2, 1e-3
    error = problem.errors(vector)
    cost = _cost(problem, parameters, vector, error)
    for _ in range(rounds):
        slopes = problem.slopes(vector)
        tilt = 1 + problem.tilt * error
        weight = (problem.weight / ROBUST_FROM) ** 2 / np.sqrt(1 + (error / ROBUST_FROM) ** 2)
        normal = (slopes.T @ slopes.multiply((weight * tilt**2)[:, None])).toarray()
        pull = slopes.T @ (weight * tilt * error) + prior * (vector - parameters.typical)
        while damping < 1e6:
            step = np.linalg.solve(normal + np.diag(prior + damping * (np.diag(normal) + prior)), pull)
            tried = vector - np.clip(step, -1, 1)
            tried_error = problem.errors(tried)
            tried_cost = _cost(problem, parameters, tried, tried_error)
            if tried_cost < cost:
                break
            damping *= 5
        else:
            return vector
        gained = (cost - tried_cost) / cost
        vector, error, cost, damping = tried, tried_error, tried_cost, damping / 5
        if gained < GOOD_ENOUGH:
            break
    return vector


def _cost(problem: Problem, parameters: Parameters, vector: np.ndarray, error: np.ndarray) -> float:
    robust = 2 * (np.sqrt(1 + (error / ROBUST_FROM) ** 2) - 1)
    if not np.all(np.isfinite(robust)):
        return np.inf
    return float(problem.weight**2 @ robust + np.sum(((vector - parameters.typical) / parameters.spread) ** 2))


def _design(table: Table, parameters: Parameters) -> dict[str, np.ndarray]:
    """For each constant the entries of the vector that speak in each row; the one past the end is always 0."""
    at = {name: index for index, name in enumerate(parameters.names)}
    nothing = len(parameters.names)
    levels = [case_levels(case) for case in table.cases]
    return {
        constant: np.array(
            [[at[constant, "", ""], *(at.get((constant, f, each[f]), nothing) for f in factors)] for each in levels]
        )
        for constant, (_, _, factors) in PRIORS.items()
    }


def _values(design: Mapping[str, np.ndarray], vector: np.ndarray) -> dict[str, np.ndarray]:
    padded = np.append(vector, 0.0)
    return {constant: np.exp(padded[columns].sum(axis=1)) for constant, columns in design.items()}


def _limited(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: within_datasheet(v) if name.endswith("_efficiency") else v for name, v in values.items()}


def _log(table: Table, values: Mapping[str, np.ndarray]) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.log(table.predicted(_limited(values)))


def _weights(cases: Sequence[Case]) -> np.ndarray:
    def slice_of(case: Case) -> tuple[str, ...]:
        named = case.question.named
        return case.source, case.mode, case.kind, named.engine, named.kernel, named.gpu_class, case.group

    size = Counter(slice_of(case) for case in cases)
    return np.array(
        [
            size[slice_of(case)] ** CROWDED * WEIGHTS[case.mode, case.kind] * (1.0 if case.trusted else LESS_TRUSTED)
            for case in cases
        ]
    )
