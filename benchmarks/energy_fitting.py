"""Fits the constants of the power model and writes planner/catalog/energy_constants.yaml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import yaml
from energy_cases import Case
from scipy.optimize import least_squares

from planner.energy.power import PowerConstants
from planner.speed.constants import gpu_class

TARGET = Path(__file__).parents[1] / "planner" / "catalog" / "energy_constants.yaml"
TYPICAL = PowerConstants(idle_share=0.1, bandwidth=0.5, expert_factor=2.0, arithmetic=3.0)
LOWEST, HIGHEST = (0.03, 0.0, 1.0, 0.0), (0.5, 10.0, 5.0, 50.0)
ROBUST_FROM = 0.1
CROWDED = -0.25  # residuals of a model with n runs weigh n ** this
SOURCE = "ML.ENERGY v3 measurements of vLLM on H100 and B200"
HEADER = """\
# Constants of the power model (planner/energy/power.py), written by benchmarks/energy.py --fit: do not edit by hand.
#   constants   idle_share of the TDP is drawn whatever is done; bandwidth and arithmetic: how fast their use drives the
#               draw to the TDP; expert_factor: how much more a mixture of experts draws for the bytes it moves
#   intervals   multipliers of predicted watts and joules a token that hold 90 % of runs whose model was not fitted on
#               (measured), or whose GPU type was not (borrowed); throughput as the speed model predicts it, so joules
#               hold its errors too. residual = median |log(measured / predicted)|
#   measured    accelerators with measurements; others of the class with the same kind of link borrow theirs
"""


def fit(cases: Sequence[Case]) -> PowerConstants:
    """The constants with the least robust error of log watts at measured throughput."""
    counts = Counter(case.group for case in cases)
    weights = np.array([counts[case.group] ** CROWDED for case in cases])

    def residuals(vector: np.ndarray) -> np.ndarray:
        constants = PowerConstants(*vector.tolist())
        return weights * [case.log_error(constants, case.output_tokens_per_s) for case in cases]

    start = [getattr(TYPICAL, field.name) for field in fields(TYPICAL)]
    found = least_squares(residuals, start, bounds=(LOWEST, HIGHEST), loss="soft_l1", f_scale=ROBUST_FROM)
    return PowerConstants(*found.x.tolist())


def held_out(cases: Sequence[Case], groups: Sequence[str]) -> list[PowerConstants]:
    """For each case the constants of a fit that has not seen its group."""
    fitted = {
        out: fit([case for case, group in zip(cases, groups, strict=True) if group != out])
        for out in sorted(set(groups))
    }
    return [fitted[group] for group in groups]


def write_constants(
    cases: Sequence[Case],
    constants: PowerConstants,
    by_model: Sequence[PowerConstants],
    by_gpu: Sequence[PowerConstants],
) -> None:
    """The data file, with intervals of held-out residuals."""
    measured = {case.accelerator.name: case.accelerator for case in cases}
    content = {
        "as_of": datetime.now(UTC).date().isoformat(),
        "source": SOURCE,
        "rows": len(cases),
        "constants": {name: _rounded(value) for name, value in asdict(constants).items()},
        "intervals": {"measured": _intervals(cases, by_model), "borrowed": _intervals(cases, by_gpu)},
        "measured": [
            {"accelerator": name, "gpu_class": gpu_class(gpu), "interconnect": gpu.interconnect}
            for name, gpu in sorted(measured.items())
        ],
    }
    TARGET.write_text(HEADER + yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _intervals(cases: Sequence[Case], fitted: Sequence[PowerConstants]) -> dict[str, dict[str, float]]:
    pairs = list(zip(cases, fitted, strict=True))
    watts = [case.log_error(each, case.predicted_tokens_per_s) for case, each in pairs]
    joules = [case.joules_log_error(each) for case, each in pairs]
    return {"watts": _interval(watts), "joules": _interval(joules)}


def _interval(errors: Sequence[float]) -> dict[str, float]:
    low, high = np.exp(np.quantile(errors, (0.05, 0.95)))
    return {"low": _rounded(low), "high": _rounded(high), "residual": _rounded(np.median(np.abs(errors)))}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
