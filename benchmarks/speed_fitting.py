"""Fits the constants of the speed model: each is a base times factors of engine, kernel, GPU class and vintage.

Least squares on logarithms with a robust loss. Priors pull each factor towards 1 and each base towards a typical
value, so a factor that few rows speak of stays near 1, and an engine or GPU nobody measured falls back to what all
share. The formulas are the planner's own, fed with arrays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from speed_cases import Case
from speed_tables import Table, case_levels, tables_of

from planner.catalog import load_yaml
from planner.speed.steps import within_datasheet

# constant: (typical value, spread of its logarithm, {factor: spread of its logarithm})
PRIORS: dict[str, tuple[float, float, dict[str, float]]] = {
    "bandwidth_efficiency": (0.75, 0.2, {"engine": 0.1, "kernel": 0.2, "gpu_class": 0.1, "kernel_on": 0.1}),
    "compute_efficiency": (
        0.55, 0.4, {"engine": 0.2, "kernel": 0.3, "gpu_class": 0.2, "vintage": 0.2, "kernel_on": 0.2}
    ),
    "expert_bandwidth_efficiency": (0.6, 0.3, {"engine": 0.15, "kernel": 0.3, "gpu_class": 0.1}),
    "expert_compute_efficiency": (0.35, 0.4, {"engine": 0.2, "kernel": 0.3, "gpu_class": 0.2}),
    "cache_efficiency": (0.6, 0.3, {"engine": 0.3, "gpu_class": 0.2, "vintage": 0.2}),
    "attention_efficiency": (0.4, 0.4, {"engine": 0.3, "gpu_class": 0.2, "vintage": 0.3}),
    "link_efficiency": (0.5, 0.4, {"engine": 0.2, "gpu_class": 0.2}),
    "step_ms": (1.0, 0.7, {"family": 0.4, "engine": 0.4, "vintage": 0.3}),
    "layer_ms": (0.02, 0.7, {"family": 0.5, "engine": 0.4, "kernel": 0.2, "gpu_class": 0.2, "vintage": 0.3}),
    "expert_layer_ms": (0.02, 0.7, {"family": 1.5, "engine": 0.3, "gpu_class": 0.2}),
    "recurrent_layer_ms": (0.02, 0.7, {}),
    "sequence_ms": (0.01, 1.0, {"engine": 0.5}),
    "exchange_ms": (0.01, 0.7, {"engine": 0.3, "gpu_class": 0.3, "vintage": 0.2}),
    "launch_layer_ms": (0.3, 0.7, {"family": 0.4, "engine": 0.4, "vintage": 0.3}),
    "launch_expert_layer_ms": (0.5, 0.7, {"engine": 0.4}),
    "crowding": (0.3, 0.7, {"engine": 0.3}),
    "interference": (1.0, 0.1, {"engine": 0.1}),
    "request_ms": (30.0, 0.7, {"engine": 0.5, "vintage": 0.3}),
    "queue": (0.15, 1.0, {"engine": 0.5, "vintage": 0.5}),
    "entry_steps": (1.0, 0.5, {"engine": 0.5, "vintage": 0.3}),
    "overflow": (0.3, 1.0, {}),
    "dealing_steps": (3.0, 0.7, {"engine": 0.5}),
    "handover_ms": (100.0, 1.0, {"engine": 0.5}),
    "pool_queue": (0.4, 1.0, {"engine": 0.5}),
    "saturation": (0.85, 0.1, {"engine": 0.1, "vintage": 0.2, "scenario": 0.3}),
    "speculation": (1.0, 1e-3, {"release": 0.3}),
}  # fmt: skip
ONE_SERVER_RELEASE = 0.1
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
FAR_BELOW = 0.5
# 0: a factor too high counts like the same factor too low; 1: like its percentage
TILT, POOLED_TPOT_TILT = 0.5, 1.0
ROUNDS, GOOD_ENOUGH = 40, 1e-4


@dataclass(frozen=True)
class Parameters:
    """The logarithms of all bases and factors, in one vector; `names` says which is which."""

    names: tuple[tuple[str, str, str], ...]
    typical: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, cases: Sequence[Case], kernel_bandwidth: Mapping[str, float]) -> Parameters:
        """`kernel_bandwidth`: shares of a 16-bit kernel's bandwidth known from elsewhere, for kernels far below 1."""
        levels = [case_levels(case) for case in cases]
        names, typical, spread = [], [], []
        for constant, (value, width, factors) in PRIORS.items():
            names.append((constant, "", ""))
            typical.append(np.log(value))
            spread.append(width)
            for factor, factor_width in factors.items():
                for level in sorted({each[factor] for each in levels} - {""}):
                    names.append((constant, factor, level))
                    typical.append(np.log(_known(constant, level, kernel_bandwidth)))
                    spread.append(_spread(factor, level, factor_width))
        return cls(tuple(names), np.array(typical), np.array(spread))


    def of_the_catalogue(self) -> np.ndarray:
        """The constants of the last fit; a typical value where it had none."""
        last = load_yaml("speed_constants.yaml")["constants"]
        found = self.typical.copy()
        for at, (constant, factor, level) in enumerate(self.names):
            if constant in last:
                entry = last[constant]
                found[at] = np.log(entry.get(factor, {}).get(level, 1.0) if factor else entry["base"])
        return found


def _known(constant: str, level: str, kernel_bandwidth: Mapping[str, float]) -> float:
    """A factor known from elsewhere: kernels far below 1, builds that were run with multi-token prediction."""
    share = kernel_bandwidth.get(level, 1.0)
    if constant == "bandwidth_efficiency" and share < FAR_BELOW:
        return share
    speculating = load_yaml("speed_names.yaml")["speculating"]
    return float(speculating["typical"]) if constant == "speculation" and level in speculating["releases"] else 1.0


def _spread(factor: str, level: str, usual: float) -> float:
    """A build of one server speculates or not, and is said to; what pools do, their rows do not tell."""
    return ONE_SERVER_RELEASE if factor == "release" and " agg " in level else usual


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
