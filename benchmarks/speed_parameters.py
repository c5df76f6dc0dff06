"""What the fit of the speed model looks for: each constant is a base times factors, and priors pull every one of them.

Priors pull each factor towards 1 and each base towards a typical value, so a factor that few rows speak of stays near
1, and an engine or GPU nobody measured falls back to what all share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from speed_cases import Case
from speed_tables import case_levels

from planner.catalog import load_yaml

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
    "step_ms": (1.0, 0.7, {"family": 0.4, "engine": 0.4, "vintage": 0.6}),
    "layer_ms": (0.02, 0.7, {"family": 0.5, "engine": 0.4, "kernel": 0.2, "gpu_class": 0.2, "vintage": 0.4}),
    "expert_layer_ms": (0.02, 0.7, {"family": 1.5, "engine": 0.3, "gpu_class": 0.2}),
    "recurrent_layer_ms": (0.02, 0.7, {}),
    "sequence_ms": (0.01, 1.0, {"engine": 0.5}),
    "exchange_ms": (0.01, 0.7, {"engine": 0.3, "gpu_class": 0.3, "vintage": 0.2}),
    "launch_layer_ms": (0.3, 0.7, {"family": 0.4, "engine": 0.4, "vintage": 0.3}),
    "launch_expert_layer_ms": (0.5, 0.7, {"engine": 0.4}),
    "crowding": (0.3, 0.7, {"engine": 0.3}),
    "interference": (1.1, 0.2, {"engine": 0.15}),
    "request_ms": (30.0, 0.7, {"engine": 0.5, "vintage": 0.3}),
    "queue": (0.15, 1.0, {"engine": 0.5, "vintage": 0.5}),
    "entry_steps": (1.0, 0.5, {"engine": 0.5, "vintage": 0.3}),
    "overflow": (0.3, 1.0, {}),
    "dealing_steps": (3.0, 0.7, {"engine": 0.5}),
    "handover_ms": (100.0, 1.0, {"engine": 0.5}),
    "pool_queue": (0.4, 1.0, {"engine": 0.5}),
    "saturation": (0.85, 0.1, {"engine": 0.1, "vintage": 0.1, "scenario": 0.15}),
    "speculation": (1.0, 1e-3, {"release": 0.3}),
}  # fmt: skip
ONE_SERVER_RELEASE = 0.1
FAR_BELOW = 0.5


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
