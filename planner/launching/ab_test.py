"""How many requests an A/B test needs before it can show that quality did not drop (A.eval.business: more than 1 %)."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

from planner.errors import BadInput


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two success rates to be told apart, with the risks taken: a false alarm, and a drop that goes unnoticed."""

    baseline: float
    drop: float
    alpha: float = 0.05
    power: float = 0.8
    two_sided: bool = False

    def __post_init__(self) -> None:
        for name in ("baseline", "alpha", "power"):
            if not 0 < getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}, not a share between 0 and 1", fix="write 70 % as 0.7")
        if not 0 < self.drop < self.baseline:
            raise BadInput(
                f"a drop of {self.drop} from {self.baseline} leaves nothing", fix="give a drop below the baseline"
            )

    @property
    def dropped(self) -> float:
        return self.baseline - self.drop


def requests_per_side(comparison: Comparison) -> int:
    """Requests each of the two models must get.

    n = (z_alpha sqrt(2 p (1 - p)) + z_power sqrt(p1 (1 - p1) + p2 (1 - p2)))^2 / (p1 - p2)^2 with p = (p1 + p2) / 2:
    the test of two proportions without continuity correction (Fleiss, Levin, Paik: Statistical Methods for Rates and
    Proportions, 3rd edition, chapter 4). `drop` is absolute.
    """
    p1, p2 = comparison.baseline, comparison.dropped
    pooled = (p1 + p2) / 2
    alpha = comparison.alpha / 2 if comparison.two_sided else comparison.alpha
    z_alpha, z_power = (NormalDist().inv_cdf(share) for share in (1 - alpha, comparison.power))
    spread = z_alpha * sqrt(2 * pooled * (1 - pooled)) + z_power * sqrt(p1 * (1 - p1) + p2 * (1 - p2))
    return ceil((spread / (p1 - p2)) ** 2)
