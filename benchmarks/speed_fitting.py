"""Fits the constants of the speed model: each is a base times factors of engine, kernel, GPU class and vintage.

Least squares on logarithms with a robust loss. Priors pull each factor towards 1 and each base towards a typical
value, so a factor that few rows speak of stays near 1. The formulas are the planner's own, fed with arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.optimize import least_squares
from speed_cases import Case

from planner.speed.constants import ServingConstants
from planner.speed.serving import Phases, closed_loop
from planner.speed.steps import Peaks, Rates, hostless, prompt_step_ms, step_ms
from planner.speed.work import Work

KNEE = 3.0
FACTORS = ("engine", "kernel", "gpu_class", "vintage")
# constant: (typical value, spread of its logarithm, {factor: spread of its logarithm})
PRIORS: dict[str, tuple[float, float, dict[str, float]]] = {
    "bandwidth_efficiency": (0.75, 0.2, {"engine": 0.1, "kernel": 0.2, "gpu_class": 0.1}),
    "compute_efficiency": (0.55, 0.4, {"engine": 0.2, "kernel": 0.3, "gpu_class": 0.2}),
    "expert_bandwidth_efficiency": (0.6, 0.3, {"engine": 0.15, "kernel": 0.15, "gpu_class": 0.1}),
    "expert_compute_efficiency": (0.35, 0.4, {"engine": 0.2, "kernel": 0.3, "gpu_class": 0.2}),
    "cache_efficiency": (0.6, 0.3, {"engine": 0.3, "gpu_class": 0.2}),
    "attention_efficiency": (0.4, 0.4, {"engine": 0.3, "gpu_class": 0.2}),
    "link_efficiency": (0.5, 0.4, {"engine": 0.2, "gpu_class": 0.2}),
    "step_ms": (1.0, 0.7, {"engine": 0.5, "vintage": 0.3}),
    "layer_ms": (0.02, 0.7, {"engine": 0.5, "kernel": 0.3, "gpu_class": 0.2, "vintage": 0.3}),
    "expert_layer_ms": (0.02, 0.7, {"engine": 0.3, "gpu_class": 0.2}),
    "recurrent_layer_ms": (0.02, 0.7, {}),
    "sequence_ms": (0.01, 1.0, {"engine": 0.5}),
    "exchange_ms": (0.01, 0.7, {"engine": 0.3, "gpu_class": 0.3}),
    "launch_layer_ms": (0.3, 0.7, {"engine": 0.5}),
    "launch_expert_layer_ms": (0.5, 0.7, {"engine": 0.5}),
    "crowding": (0.3, 0.7, {"engine": 0.3}),
    "interference": (1.0, 0.3, {"engine": 0.2}),
    "request_ms": (30.0, 0.7, {"engine": 0.5}),
    "queue": (0.15, 1.0, {"engine": 0.5}),
    "entry_steps": (1.0, 0.5, {"engine": 0.5}),
}  # fmt: skip
STEP_CONSTANTS = [f.name for f in fields(Rates) if f.name != "knee"]
SERVING_CONSTANTS = [f.name for f in fields(ServingConstants)]
ROBUST_FROM = 0.1
DIFFERENCE = 1e-4
FAR_BELOW = 0.5


@dataclass(frozen=True)
class Table:
    """Many cases as arrays."""

    cases: Sequence[Case]
    peaks: Peaks
    decode: Work
    prompt: Work
    chunk: Work
    log_measured: np.ndarray
    weight: np.ndarray
    columns: dict[str, np.ndarray]

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Table:
        slices = [(c.source, c.engine, c.kernel, c.gpu_class, c.model, c.figure) for c in cases]
        size = {key: slices.count(key) for key in set(slices)}
        named = (*FACTORS, "figure", "chunk_share", "others", "output_tokens", "decodes", "prefills", "served", "model")
        return cls(
            cases=cases,
            columns={name: np.array([getattr(c, name) for c in cases]) for name in named},
            peaks=stacked(Peaks, [c.peaks for c in cases]),
            decode=stacked(Work, [c.decode for c in cases]),
            prompt=stacked(Work, [c.prompt for c in cases]),
            chunk=stacked(Work, [c.chunk for c in cases]),
            log_measured=np.log([c.measured_ms for c in cases]),
            weight=np.array(
                [
                    size[key] ** -0.2 * (1.0 if c.figure == "tpot_ms" else 0.4)
                    for key, c in zip(slices, cases, strict=True)
                ]
            ),
        )

    def column(self, name: str) -> np.ndarray:
        return self.columns[name]


def stacked(kind, items):
    return kind(**{f.name: np.array([getattr(i, f.name) for i in items], float) for f in fields(kind)})


@dataclass(frozen=True)
class Parameters:
    """The logarithms of all bases and factors, in one vector; `names` says which is which."""

    names: tuple[tuple[str, str, str], ...]
    typical: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, table: Table, kernel_bandwidth: Mapping[str, float]) -> Parameters:
        """`kernel_bandwidth`: shares of a 16-bit kernel's bandwidth known from elsewhere, for kernels far below 1."""
        names, typical, spread = [], [], []
        for constant, (value, width, factors) in PRIORS.items():
            names.append((constant, "", ""))
            typical.append(np.log(value))
            spread.append(width)
            for factor, factor_width in factors.items():
                for level in sorted(set(table.column(factor))):
                    names.append((constant, factor, str(level)))
                    known = constant == "bandwidth_efficiency" and kernel_bandwidth.get(str(level), 1.0)
                    typical.append(np.log(known) if known and known < FAR_BELOW else 0.0)
                    spread.append(factor_width)
        return cls(tuple(names), np.array(typical), np.array(spread))

    def design(self, table: Table) -> dict[str, np.ndarray]:
        """For each constant, which entries of the vector speak in which row (1 or 0)."""
        columns = {factor: table.column(factor) for factor in FACTORS}
        matrices = {constant: np.zeros((len(table.cases), len(self.names))) for constant in PRIORS}
        for index, (constant, factor, level) in enumerate(self.names):
            matrices[constant][:, index] = columns[factor] == level if factor else 1.0
        return matrices


def predicted_ms(table: Table, logs: dict[str, np.ndarray]) -> np.ndarray:
    """The figure of each case, from the logarithms of the constants of each row: the planner's own formulas."""
    value = {name: np.exp(log) for name, log in logs.items()}
    rates = Rates(**{name: value[name] for name in STEP_CONSTANTS}, knee=KNEE)
    serving = ServingConstants(**{name: value[name] for name in SERVING_CONSTANTS})
    phases = Phases(
        decode_ms=step_ms(table.decode, table.peaks, rates),
        prefill_alone_ms=prompt_step_ms(table.prompt, table.peaks, rates),
        prefill_share_ms=prompt_step_ms(table.chunk, table.peaks, hostless(rates)) * table.column("chunk_share"),
    )
    served = closed_loop(phases, serving, table.column("others") + 1, table.column("output_tokens"))
    alone = table.column("decodes") * phases.decode_ms + table.column("prefills") * phases.prefill_alone_ms
    under_load = np.where(table.column("figure") == "tpot_ms", served.tpot_ms, served.ttft_ms)
    return np.where(table.column("served"), under_load, alone)


def fit(table: Table, parameters: Parameters, start: np.ndarray | None = None) -> np.ndarray:
    """The vector that fits the table best."""
    design = parameters.design(table)

    def errors(vector: np.ndarray) -> np.ndarray:
        return np.log(predicted_ms(table, {c: m @ vector for c, m in design.items()})) - table.log_measured

    def scaled(error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Errors grow like their square root beyond ROBUST_FROM; with the slope of that."""
        root = np.sqrt(1 + (error / ROBUST_FROM) ** 2)
        size = ROBUST_FROM * np.sqrt(2 * (root - 1))
        slope = np.where(size > 1e-9, np.abs(error) / np.maximum(root * size, 1e-12), 1.0)
        return np.sign(error) * size * table.weight / ROBUST_FROM, slope * table.weight / ROBUST_FROM

    def residuals(vector: np.ndarray) -> np.ndarray:
        return np.concatenate([scaled(errors(vector))[0], (vector - parameters.typical) / parameters.spread])

    def jacobian(vector: np.ndarray) -> np.ndarray:
        logs = {c: m @ vector for c, m in design.items()}
        base = np.log(predicted_ms(table, logs))
        slope = scaled(base - table.log_measured)[1]
        total = np.zeros((len(table.cases), len(vector)))
        for constant, matrix in design.items():
            nudged = np.log(predicted_ms(table, {**logs, constant: logs[constant] + DIFFERENCE}))
            total += ((nudged - base) / DIFFERENCE * slope)[:, None] * matrix
        return np.vstack([total, np.diag(1 / parameters.spread)])

    first = parameters.typical if start is None else start
    return least_squares(residuals, first, jac=jacobian, method="trf", max_nfev=40, x_scale="jac").x


def predict(table: Table, parameters: Parameters, vector: np.ndarray) -> np.ndarray:
    """Predicted milliseconds of every case of a table (its own, or one held out)."""
    return predicted_ms(table, {c: m @ vector for c, m in parameters.design(table).items()})
