"""Writes planner/catalog/speed_constants.yaml and speed_intervals.yaml."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from speed_cases import Case
from speed_intervals import Quantiles, slices, supports
from speed_parameters import Parameters
from speed_tables import KNEE

from planner.speed.cpu import CpuConstants
from planner.speed.measured import TABLE

TARGET = Path(__file__).parents[1] / "planner" / "catalog" / "speed_constants.yaml"
CPU_SOURCE = (
    "benchmarks/measured/llama_cpp_cpu.csv: llama-server 0.5.0-dev (commit 0c1e570) under closed loops on 2 cores of "
    "an AMD EPYC (Zen 3), 2026-11-21; models of 3 to 640 M random weights"
)
KERNEL_SOURCE = "IST-DASLab/marlin README.md, assets/peak.png@2f6d7c1 (A10, read off the plot, +-0.05)"
CPU_SERVING = ("interference", "request_ms", "queue", "entry_steps", "crowding")
OTHER_MACHINES = 1.25  # one machine was measured; the logarithm of the interval is this much wider for others
HEADER = """\
# Fitted constants of the speed model (planner/speed), written by benchmarks/speed.py --fit: do not edit by hand.
#   constants   a base each, times the factor of the engine, the kernel and the GPU class; efficiencies are shares of
#               datasheet rates, *_ms are milliseconds (planner/speed/steps.py and serving.py say where each enters)
#   few_token_arithmetic  share of a 16-bit kernel's arithmetic that a 4-bit kernel reaches while a step has few tokens
# What was measured of which engine, kernel and GPU class is in speed_support.csv: residual = median |log(measured /
# predicted)|; low and high = multipliers of a prediction that hold 90 % of residuals, of random folds. The line
# of `*` is of fits that had not seen the model or the GPU type.
"""


INTERVALS_HEADER = """\
# 90 % intervals of predictions of published runs, written by benchmarks/speed.py --fit: do not edit by hand.
#   slices      mode, figure, engine, kernel, GPU class -> multipliers of a prediction that held 90 % of the residuals
#               of random folds; residual = median |log(error)|
#   unfamiliar  the same of fits that had not seen the model, and of fits that had not seen the GPU type, together
#   modes       agg and disagg: servers under load; stream: one stream or a small batch; full: a server kept full
"""
SERVED_LESS_OFTEN = {"tpot_ms": [0.33, 3.0], "ttft_ms": [0.2, 5.0], "tokens_per_s": [0.3, 2.0]}


def write_constants(
    cases: Sequence[Case],
    parameters: Parameters,
    vector: np.ndarray,
    folds: np.ndarray,
    held_out: Sequence[np.ndarray],
    kernels: dict[str, tuple[float, float]],
    cpu: CpuConstants,
    cpu_errors: np.ndarray,
) -> None:
    """The data files; `folds` are residuals of random folds, `held_out` of models and of GPU types left out."""
    as_of = datetime.now(UTC).date().isoformat()
    content = {
        "as_of": as_of,
        "knee": KNEE,
        "fitted": {
            "architectures": sorted({case.group for case in cases}),
            "accelerators": sorted({case.gpu for case in cases}),
        },
        "engines": sorted({case.question.named.engine for case in cases}),
        "borrowed_widening": 1.5,
        "constants": constants(parameters, vector),
        "few_token_arithmetic": {"source": KERNEL_SOURCE, **{kernel: share for kernel, (_, share) in kernels.items()}},
        "datasheet_bound": datasheet_bound(),
        "cpu": cpu_section(cpu, cpu_errors),
    }
    _write(TARGET, HEADER, content)
    write_support(supports(cases, folds, held_out))
    intervals = {
        "as_of": as_of,
        "source": "held-out residuals of the tables that speed_constants.yaml names under support",
        "borrowed_widening": 1.25,
        "guessed_widening": 1.5,
        "unmeasured": SERVED_LESS_OFTEN,
        "slices": {name: found.rounded() for name, found in slices(cases, [folds]).items()},
        "unfamiliar": {name: found.rounded() for name, found in slices(cases, held_out).items()},
    }
    _write(TARGET.with_name("speed_intervals.yaml"), INTERVALS_HEADER, intervals)


def write_support(found: Sequence[Mapping[str, Any]]) -> None:
    """A line for each figure of each measured combination."""
    columns = ("engine", "kernel", "gpu_class", "figure", "low", "high", "rows", "residual", "source")
    path = TARGET.with_name(TABLE)
    aside = path.with_suffix(".aside")
    with aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for each in found:
            for figure, interval in each["intervals"].items():
                writer.writerow({**each, **interval, "figure": figure})
    aside.replace(path)


def _write(path: Path, header: str, content: dict[str, Any]) -> None:
    """Write aside, then rename."""
    aside = path.with_suffix(".aside")
    aside.write_text(header + yaml.safe_dump(content, sort_keys=False, width=150), encoding="utf-8")
    aside.replace(path)


def constants(parameters: Parameters, vector: np.ndarray) -> dict[str, dict[str, Any]]:
    """Base and factors; a factor that stayed at 1 is left out."""
    found: dict[str, dict[str, Any]] = {}
    for (constant, factor, level), log in zip(parameters.names, vector, strict=True):
        entry = found.setdefault(constant, {})
        value = four(np.exp(log))
        if not factor:
            entry["base"] = value
        elif abs(value - 1) > 0.002:
            entry.setdefault(factor, {})[level] = value
    return found


def datasheet_bound() -> dict[str, Any]:
    """Nothing near was measured: from a third of the typical speed to the datasheet's own."""
    wide = {"low": 0.4, "high": 3.0, "rows": 0, "residual": 0.5}
    rate = {"low": 0.33, "high": 2.5, "rows": 0, "residual": 0.5}
    source = "datasheet rates at typical shares; nothing measured"
    return {"source": source, "intervals": {"ttft_ms": wide, "tpot_ms": dict(wide), "output_tokens_per_s": rate}}


def cpu_section(cpu: CpuConstants, errors: np.ndarray) -> dict[str, Any]:
    """Constants and the intervals that held models which the fit had not seen."""
    low, high = np.exp(OTHER_MACHINES * np.quantile(errors, [0.05, 0.95], axis=0))
    residual = np.median(np.abs(errors), axis=0)
    figures = ("ttft_ms", "tpot_ms", "output_tokens_per_s")
    intervals = {
        name: Quantiles(float(low[i]), float(high[i]), len(errors), float(residual[i])).rounded()
        for i, name in enumerate(figures)
    }
    shared = {name: four(getattr(cpu, name)) for name in ("step_ms", "layer_ms", "sequence_ms", "attention_efficiency")}
    serving = {name: four(value) for name, value in asdict(cpu.serving).items() if name in CPU_SERVING}
    types = {name: {share: four(value) for share, value in asdict(rates).items()} for name, rates in cpu.types.items()}
    return {
        "source": CPU_SOURCE,
        **shared,
        "knee": cpu.knee,
        "measured_with": ["avx2"],
        "other_instructions_widening": 1.5,
        "serving": serving,
        "types": types,
        "intervals": intervals,
    }


def four(value: float) -> float:
    return float(f"{value:.4g}")
