"""All copies of one model in a simulated day: how they behave, scale, fail and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.scale.curve import Curve
from planner.serving.capacity import Targets


def _autoscaler(name: str) -> float:
    return float(load_yaml("scaling.yaml")["autoscaler"][name]["value"])


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """Copies follow the load: as many as carry it at `target_busy_share`, asked again every `interval_s`.

    Within `tolerance` of that nothing changes; fewer only once fewer would have done for `down_after_s`.
    """

    least: int
    most: int
    target_busy_share: float = field(default_factory=lambda: _autoscaler("target_busy_share"))
    interval_s: float = field(default_factory=lambda: _autoscaler("interval_s"))
    tolerance: float = field(default_factory=lambda: _autoscaler("tolerance"))
    down_after_s: float = field(default_factory=lambda: _autoscaler("down_after_s"))

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise BadInput(f"from {self.least} to {self.most} copies: the least is from 1 to the most")
        if not 0 < self.target_busy_share <= 1:
            raise BadInput(f"target busy share {self.target_busy_share:g}: it lies from above 0 to 1")


@dataclass(frozen=True, slots=True)
class Rent:
    """What a copy costs an hour, and how many of the copies are rented on spot, at what price and reclaim rate.

    Spot copies are the last to start and the first to stop. `reclaims_per_hour`: of one spot copy.
    """

    usd_per_hour: float
    spot_share: float = 0.0
    spot_usd_per_hour: float = 0.0
    reclaims_per_hour: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.spot_share <= 1:
            raise BadInput(f"spot share {self.spot_share:g}: it lies from 0 to 1")


@dataclass(frozen=True, slots=True)
class Pool:
    """`start_s`: from asking for a copy to its first request. `node_s`: what a new machine takes before that.

    `copies_per_node` copies fail together; `node_mtbf_hours` None: never.
    """

    name: str
    curve: Curve
    targets: Targets
    autoscaler: Autoscaler
    rent: Rent
    start_s: float
    node_s: float = 0.0
    copies_per_node: int = 1
    node_mtbf_hours: float | None = None
