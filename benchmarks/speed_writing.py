"""Writes planner/catalog/speed_constants.yaml."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from speed_fitting import KNEE, Parameters, Table
from speed_intervals import Quantiles, Residuals

from planner.speed.cpu import CpuConstants

TARGET = Path(__file__).parents[1] / "planner" / "catalog" / "speed_constants.yaml"
CPU_SOURCE = (
    "benchmarks/measured/llama_cpp_cpu.csv: llama-server 0.5.0-dev (commit 0c1e570) under closed loops on 2 cores of "
    "an AMD EPYC (Zen 3), 2026-11-21; models of 3 to 640 M random weights"
)
KERNEL_SOURCE = "IST-DASLab/marlin README.md, assets/peak.png@2f6d7c1 (A10, read off the plot, +-0.05)"
OTHER_MACHINES = 1.25  # one machine was measured; the logarithm of the interval is this much wider for others
GPU_CLASSES = {
    "volta": ["Volta"], "turing": ["Turing"], "ampere": ["Ampere"], "ada": ["Ada"], "hopper": ["Hopper"],
    "blackwell": ["Blackwell", "Blackwell Ultra"], "apple": ["M1", "M2", "M3", "M4"],
}  # fmt: skip
HEADER = """\
# Fitted constants of the speed model (planner/speed), written by benchmarks/speed.py --fit: do not edit by hand.
#   constants   a base each, times the factor of the engine, the kernel and the GPU class; efficiencies are shares of
#               datasheet rates, *_ms are milliseconds (planner/speed/steps.py and serving.py say where each enters)
#   few_token_arithmetic  share of a 16-bit kernel's arithmetic that a 4-bit kernel reaches while a step has few tokens
#   support     what was measured: residual = median |log(measured / predicted)|; low and high = multipliers of a
#               prediction that hold 90 % of residuals, of the fit and of fits that had not seen the model, together
"""


def write_constants(
    table: Table,
    parameters: Parameters,
    vector: np.ndarray,
    residuals: Residuals,
    kernels: dict[str, tuple[float, float]],
    cpu: CpuConstants,
    cpu_errors: np.ndarray,
) -> None:
    """Write aside, then rename."""
    content = {
        "as_of": datetime.now(UTC).date().isoformat(),
        "knee": KNEE,
        "engines": sorted(set(table.column("engine").tolist())),
        "gpu_classes": GPU_CLASSES,
        "borrowed_widening": 1.5,
        "constants": constants(parameters, vector),
        "few_token_arithmetic": {"source": KERNEL_SOURCE, **{kernel: share for kernel, (_, share) in kernels.items()}},
        "support": support(table, residuals),
        "datasheet_bound": datasheet_bound(),
        "cpu": cpu_section(cpu, cpu_errors),
    }
    aside = TARGET.with_suffix(".aside")
    aside.write_text(HEADER + yaml.safe_dump(content, sort_keys=False, width=150), encoding="utf-8")
    aside.replace(TARGET)


def constants(parameters: Parameters, vector: np.ndarray) -> dict[str, dict[str, Any]]:
    """Base and factors; a factor that stayed at 1 is left out. The vintage of today's engines is in the base."""
    found: dict[str, dict[str, Any]] = {}
    for (constant, factor, level), log in zip(parameters.names, vector, strict=True):
        entry = found.setdefault(constant, {})
        value = float(f"{np.exp(log):.4g}")
        if not factor:
            entry["base"] = value
        elif factor == "vintage":
            if level == "2026":
                entry["base"] = float(f"{entry['base'] * value:.4g}")
        elif abs(value - 1) > 0.002:
            entry.setdefault(factor, {})[level] = value
    return found


def support(table: Table, residuals: Residuals) -> list[dict[str, Any]]:
    combinations = sorted({(c.engine, c.kernel, c.gpu_class) for c in table.cases})
    return [_supported(table, residuals, *combination) for combination in combinations]


def _supported(table: Table, residuals: Residuals, engine: str, kernel: str, gpu_class: str) -> dict[str, Any]:
    sources = Counter(c.source for c in table.cases if (c.engine, c.kernel, c.gpu_class) == (engine, kernel, gpu_class))
    tpot = residuals.quantiles(engine, kernel, gpu_class, "tpot_ms")
    ttft = residuals.quantiles(engine, kernel, gpu_class, "ttft_ms") or Quantiles(0.4, 2.5, 0, 0.5)
    rate = Quantiles(1 / tpot.high, 1 / tpot.low, tpot.rows, tpot.residual)
    return {
        "engine": engine,
        "kernel": kernel,
        "gpu_class": gpu_class,
        "source": "; ".join(source for source, _ in sources.most_common(3)),
        "intervals": {"ttft_ms": rounded(ttft), "tpot_ms": rounded(tpot), "output_tokens_per_s": rounded(rate)},
    }


def rounded(found: Quantiles) -> dict[str, float]:
    return {name: round(value, 3) for name, value in asdict(found).items()}


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
        name: rounded(Quantiles(float(low[i]), float(high[i]), len(errors), float(residual[i])))
        for i, name in enumerate(figures)
    }
    shared = {name: four(getattr(cpu, name)) for name in ("step_ms", "layer_ms", "sequence_ms", "attention_efficiency")}
    serving = {name: four(value) for name, value in asdict(cpu.serving).items()}
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
