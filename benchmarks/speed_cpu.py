"""Fits the constants of llama.cpp on CPUs to `benchmarks/measured/llama_cpp_cpu.csv`: the planner's own formulas."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from planner.memory.weights import weight_bytes
from planner.models.families import shape_from_config
from planner.models.shape import Shape
from planner.request import Workload
from planner.schemes import scheme
from planner.speed.constants import ServingConstants
from planner.speed.cpu import CpuConstants, TypeRates, cpu_phases
from planner.speed.serving import closed_loop
from planner.speed.work import Stored

MEASURED = Path(__file__).parent / "measured"
FIGURES = ("ttft_ms", "tpot_ms", "output_tokens_per_s")
KNEE = 3.0
# typical values before any measurement, in the order of `constants`
SHARED = {
    "step_ms": 0.1, "layer_ms": 0.03, "sequence_ms": 0.25, "attention_efficiency": 0.1,
    "interference": 1.1, "request_ms": 3.0, "queue": 0.8, "entry_steps": 1.0,
}  # fmt: skip
PER_TYPE = {"bandwidth_efficiency": 0.8, "decode_efficiency": 0.25, "prefill_efficiency": 0.4}
SPREAD, NOISE = 0.8, 0.15


@dataclass(frozen=True)
class Run:
    """One measured load on one model and type."""

    shape: Shape
    type_id: str
    stored: Stored
    workload: Workload
    bandwidth_gb_s: float
    matmul_gflops: float
    model: str
    measured: tuple[float, ...]

    def predicted(self, constants: CpuConstants) -> tuple[float, ...]:
        rates = self.bandwidth_gb_s, self.matmul_gflops
        phases = cpu_phases(self.shape, *rates, self.type_id, constants, self.stored, self.workload)
        served = closed_loop(phases, constants.serving, self.workload.concurrency, self.workload.output_tokens)
        return served.ttft_ms, served.tpot_ms, served.output_tokens_per_s


def measured_runs() -> list[Run]:
    """The committed table."""
    configs = json.loads((MEASURED / "random_models.json").read_text())
    shapes = {name: shape_from_config(config, name) for name, config in configs.items()}
    with (MEASURED / "llama_cpp_cpu.csv").open(newline="") as stream:
        return [_run(row, shapes[row["model"]]) for row in csv.DictReader(stream)]


def _run(row: dict[str, str], shape: Shape) -> Run:
    type_id = "gguf-" + row["type"].lower()
    kv_bytes = sum(2 * 2 * group.count * group.kv_heads * group.head_dim for group in shape.attention)
    load = {name: int(row[name]) for name in ("concurrency", "input_tokens", "output_tokens")}
    return Run(
        shape=shape,
        type_id=type_id,
        stored=Stored.of(scheme(type_id), weight_bytes(shape, scheme(type_id)).total, kv_bytes),
        workload=Workload(**load),
        bandwidth_gb_s=float(row["bandwidth_gb_s"]),
        matmul_gflops=float(row["matmul_gflops"]),
        model=row["model"],
        measured=tuple(float(row[figure]) for figure in FIGURES),
    )


def fit_cpu(runs: list[Run]) -> CpuConstants:
    """The constants that fit the runs best; a type that was not run keeps typical shares."""
    types = sorted({run.type_id for run in runs})
    typical = np.log([*SHARED.values(), *(list(PER_TYPE.values()) * len(types))])
    measured = np.log([run.measured for run in runs])

    def residuals(vector: np.ndarray) -> np.ndarray:
        constants = constants_of(vector, types)
        errors = np.log([run.predicted(constants) for run in runs]) - measured
        return np.concatenate([errors[:, :2].ravel() / NOISE, (vector - typical) / SPREAD])

    return constants_of(least_squares(residuals, typical, loss="soft_l1", max_nfev=40).x, types)


def constants_of(vector: np.ndarray, types: list[str]) -> CpuConstants:
    values = np.exp(vector).tolist()
    shared = dict(zip(SHARED, values, strict=False))
    serving = ServingConstants(
        **{name: shared.pop(name) for name in ("interference", "request_ms", "queue", "entry_steps")}
    )
    shares = [TypeRates(*values[at : at + 3]) for at in range(len(SHARED), len(values), 3)]
    return CpuConstants(**shared, knee=KNEE, serving=serving, types=dict(zip(types, shares, strict=True)), intervals={})


def cpu_errors(runs: list[Run], constants: CpuConstants) -> np.ndarray:
    """log(measured / predicted), one row a run, one column a figure."""
    return np.log([run.measured for run in runs]) - np.log([run.predicted(constants) for run in runs])


def leave_one_model_out(runs: list[Run]) -> np.ndarray:
    """The same errors, each model predicted from the others."""
    errors = np.zeros((len(runs), len(FIGURES)))
    for model in sorted({run.model for run in runs}):
        held = [run.model == model for run in runs]
        constants = fit_cpu([run for run, out in zip(runs, held, strict=True) if not out])
        errors[held] = cpu_errors([run for run, out in zip(runs, held, strict=True) if out], constants)
    return errors
