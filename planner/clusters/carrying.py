"""How many copies of one way carry a load: the batch that gives most within the targets, and the nodes they take."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from planner.candidate import Weighed
from planner.catalog import load_yaml
from planner.clusters.weighing import Offer, cheapest
from planner.predicted import OperatingPoint
from planner.request import Request, ServiceLevel


@dataclass(frozen=True, slots=True)
class Copies:
    """`copies` of an offer's way, each with `batch` requests in flight; figures are of all of them together.

    `busy_share`: the part of what a copy can carry that it is planned for.
    """

    offer: Offer
    copies: int
    batch: int
    tokens_per_s: float
    usd_per_hour: float
    point: OperatingPoint | None = None
    busy_share: float = 1.0

    @classmethod
    def of(cls, offer: Offer) -> Copies:
        """What was assessed as it is: the copies that the asked load is shared by."""
        batch = offer.assessor.share(offer.found.layout).concurrency
        return cls(offer, offer.copies, batch, offer.tokens_per_s, cheapest(offer))

    @property
    def accelerators(self) -> int:
        return self.copies * self.offer.way.accelerators

    @property
    def requests_per_s(self) -> float:
        """What is planned for."""
        return self.tokens_per_s / self.offer.assessor.request.workload.output_tokens * self.busy_share

    def carries(self, rate: float) -> bool:
        return self.requests_per_s >= rate

    @property
    def nodes(self) -> int:
        """Nodes that the copies take: several to a node where they are parts of one."""
        if self.offer.nodes > 1:
            return self.copies * self.offer.nodes
        return ceil(self.copies / (self.offer.site.node.gpus // self.offer.way.accelerators))

    @property
    def there(self) -> int:
        return self.offer.site.node.count

    @property
    def is_there(self) -> bool:
        return self.nodes <= self.there

    def row(self) -> Weighed:
        told = self.offer.told(copies=self.copies)
        if self.point is None:
            return told
        priced = self.usd_per_hour if self.usd_per_hour < float("inf") else None
        figures = {
            "ttft_ms": self.point.ttft_ms.value,
            "tpot_ms": self.point.tpot_ms.value,
            "output_tokens_per_s": self.tokens_per_s,
            "requests_per_s": self.requests_per_s,
            "usd_per_hour": priced,
        }
        return told.model_copy(update=figures)

    def request(self, *, pinned: bool) -> Request:
        """The question that just these copies answer; `pinned`: the rules are asked about one copy's accelerators."""
        asked = self.offer.assessor.request
        held = self.accelerators if pinned else self.offer.site.accelerators
        update: dict[str, object] = {"hardware": f"{held}x{self.offer.site.node.gpu}"}
        if pinned and self.copies > 1:
            update["replicas"] = self.copies
        if self.point is not None:
            load = {"concurrency": self.copies * self.batch}
            update["workload"] = asked.workload.model_copy(update=load)
        return asked.model_copy(update=update)


def carrying(offer: Offer, rate: float | None) -> Copies | None:
    """The fewest copies that carry so many requests a second; None where no batch is within the targets.

    Without a rate: the copies there is room for, as on nodes that are to be filled.
    """
    share: float = load_yaml("clusters.yaml")["fleet"]["busy_share"]["value"]
    level, tokens = offer.assessor.request.service_level, offer.assessor.request.workload.output_tokens
    within = [point for point in offer.points() if _meets(point, level)]
    best = max(within, key=lambda point: point.output_tokens_per_s.value, default=None)
    if best is None:
        return None
    one = best.output_tokens_per_s.value
    copies = offer.copies if rate is None else ceil(rate / (one / tokens * share))
    price = cheapest(offer) / offer.copies * copies
    return Copies(offer, copies, best.concurrency, one * copies, price, best, share)


def _meets(point: OperatingPoint, level: ServiceLevel) -> bool:
    return (level.ttft_ms is None or point.ttft_ms.value <= level.ttft_ms) and (
        level.tpot_ms is None or point.tpot_ms.value <= level.tpot_ms
    )
