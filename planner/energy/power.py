"""From how busy an accelerator is to the watts it draws, with constants fitted on published measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import exp, sqrt
from typing import Any

from planner.catalog import load_yaml
from planner.energy.utilisation import Utilisation
from planner.hardware.hardware import Accelerator
from planner.speed.constants import gpu_class

FILE = "energy_constants.yaml"


@dataclass(frozen=True, slots=True)
class PowerConstants:
    """`idle_share` of the TDP is drawn whatever is done; the others say how fast use drives the draw to the TDP.

    `expert_factor`: how much more a mixture of experts draws for the bytes it moves.
    """

    idle_share: float
    bandwidth: float
    expert_factor: float
    arithmetic: float

    def share_of_tdp(self, used: Utilisation) -> float:
        """idle + (1 - idle) x (1 - exp(-drive)): a card nears its power limit and stays below it.

        drive = bandwidth x sqrt(share of bandwidth) x expert factor + arithmetic x sqrt(share of arithmetic).
        """
        moving = self.bandwidth * sqrt(used.bandwidth) * (self.expert_factor if used.has_experts else 1.0)
        drive = moving + self.arithmetic * sqrt(used.arithmetic)
        return self.idle_share + (1 - self.idle_share) * (1 - exp(-drive))


@dataclass(frozen=True, slots=True)
class Support:
    """Multipliers of predicted watts and joules a token that hold 90 % of measurements, and whose measurements.

    Those of joules hold the errors of the predicted throughput in the same runs too.
    """

    watts: tuple[float, float]
    joules: tuple[float, float]
    source: str


@lru_cache
def power_constants() -> PowerConstants:
    return PowerConstants(**load_yaml(FILE)["constants"])


@lru_cache(maxsize=256)
def power_support(accelerator: Accelerator) -> Support | None:
    """Measured itself, or borrowed from one of its class with the same kind of link; None where none was measured."""
    content = load_yaml(FILE)
    nearest = _measured_like(accelerator, content["measured"])
    if nearest is None:
        return None
    is_same = nearest["accelerator"] == accelerator.name
    held = content["intervals"]["measured" if is_same else "borrowed"]
    borrowed = "" if is_same else f"constants of {nearest['accelerator']}: "
    watts, joules = ((float(held[kind]["low"]), float(held[kind]["high"])) for kind in ("watts", "joules"))
    return Support(watts, joules, f"{borrowed}{content['source']} ({content['rows']} runs)")


def _measured_like(accelerator: Accelerator, measured: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    own = next((entry for entry in measured if entry["accelerator"] == accelerator.name), None)
    kind = gpu_class(accelerator), accelerator.interconnect
    return own or next((entry for entry in measured if (entry["gpu_class"], entry["interconnect"]) == kind), None)
