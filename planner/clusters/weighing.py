"""One set of accelerators of a cluster: the rules' format on it, and every way to lay a copy out there, in figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import inf

from planner.candidate import Weighed
from planner.clusters.cluster import Cluster, NodeType
from planner.clusters.ways import Way
from planner.hardware.hardware import Hardware
from planner.models.model import Model
from planner.planning.assessing import Assessed, Assessor, Layout
from planner.planning.choosing import Chooser
from planner.planning.deciding import Choice, Deliberation
from planner.planning.facts import gather_facts
from planner.planning.offloading import WEIGHT_LABELS
from planner.planning.operating import operating_points
from planner.planning.spanning import as_it_stands, nodes_of_copy
from planner.predicted import OperatingPoint
from planner.request import Price, Request
from planner.schemes import scheme
from planner.units import GIB
from rules.book import Book


@dataclass(frozen=True, slots=True)
class Site:
    """`accelerators` of one kind of node, in one node or in several whole ones."""

    cluster: Cluster
    node: NodeType
    accelerators: int

    @property
    def hardware(self) -> Hardware:
        label = f"{self.accelerators}x{self.node.gpu}"
        return replace(self.node.hardware, label=label, count=self.accelerators)

    def asked(self, request: Request) -> Request:
        """The question put to these accelerators, at the node's own price where it has one."""
        own, price = self.node.price, request.price
        if request.price.usd_per_hour is None:
            each = own.usd_per_node_hour / self.node.gpus if own.usd_per_node_hour is not None else None
            named = {"provider": own.provider or price.provider, "kind": own.kind or price.kind}
            price = Price(**{**dict(price), **named, "usd_per_hour": each})
        nodes = self.cluster.nodes_of(self.node)
        return request.model_copy(update={"hardware": self.hardware.label, "nodes": nodes, "price": price})


@dataclass(frozen=True, slots=True)
class Offer:
    """One way on one site, assessed; `copies` of it share the site's accelerators."""

    site: Site
    way: Way
    assessor: Assessor
    found: Assessed

    @property
    def copies(self) -> int:
        return self.found.layout.replicas

    @property
    def holds(self) -> bool:
        return self.found.verdict == "feasible"

    @property
    def tokens_per_s(self) -> float:
        return self.found.speed.output_tokens_per_s.value or 0.0

    @property
    def usd_per_hour(self) -> float | None:
        return self.found.cost.usd_per_hour if self.found.cost else None

    @property
    def nodes(self) -> int:
        """Nodes that one copy stands on."""
        layout = self.found.layout
        engines = layout.pipeline_parallel * layout.data_parallel * layout.servers
        return nodes_of_copy(layout.tensor_parallel, engines, self.assessor.request.nodes)

    def points(self) -> tuple[OperatingPoint, ...]:
        """One copy under rising load."""
        return operating_points(self.assessor, self.found)

    def told(self, **more: object) -> Weighed:
        """The row of a table."""
        found, speed = self.found, self.found.speed
        row = Weighed(
            node_type=self.site.node.name,
            layout=self.way.says,
            accelerators=self.way.accelerators,
            nodes=self.nodes,
            copies=self.copies,
            format=found.format,
            ttft_ms=speed.ttft_ms.value,
            tpot_ms=speed.tpot_ms.value,
            output_tokens_per_s=speed.output_tokens_per_s.value,
            usd_per_hour=self.usd_per_hour,
            link_ms=self._link_ms() if found.verdict in ("feasible", "misses-service-level") else None,
            verdict=found.verdict,
            reasons=found.reasons,
        )
        return row.model_copy(update=more)

    def _link_ms(self) -> float | None:
        from planner.speed import spread
        from planner.speed.work import Layout as Laid
        from planner.speed.work import Running, Stored

        found, layout, accelerator = self.found, self.found.layout, self.assessor.hardware.accelerator
        assert accelerator is not None
        entry, memory, stages = scheme(found.format), found.memory, layout.pipeline_parallel
        held = memory.gib(*WEIGHT_LABELS) * GIB * stages
        stored = Stored(entry.bits_per_weight(), held, memory.kv_bytes_per_token * stages)
        laid = Laid(layout.tensor_parallel, layout.data_parallel, layout.data_parallel, stages)
        run = Running(found.engine, found.kernel, laid, stored)
        share = self.assessor.share_of_cache(layout) if layout.pools else self.assessor.share(layout)
        return spread.link_ms(self.assessor.model.shape, accelerator, entry, run, share, self.assessor.request.nodes)


@dataclass(slots=True)
class WayChooser(Chooser):
    """Walks the rules' ladder with every way to lay a copy out in place of the splits of one machine."""

    site: Site | None = None
    ways: tuple[Way, ...] = ()
    offers: dict[Choice, list[Offer]] = field(default_factory=dict)

    def best_layout(self, choice: Choice, *, record: bool = False) -> Assessed:
        if choice not in self.offers:
            self.offers[choice] = [offer for way in self.ways for offer in self._offers(choice, way)]
        offers = self.offers[choice]
        best = min(offers, key=lambda offer: (not offer.holds, -offer.tokens_per_s), default=None)
        return best.found if best else self.assessor.assess(choice, Layout(1, 1))

    def _offers(self, choice: Choice, way: Way) -> Iterator[Offer]:
        assert self.site is not None
        pinned = self.assessor.request.model_copy(update=way.settings)
        assessor = replace(self.assessor, request=pinned)
        if assessor.layouts:
            yield Offer(self.site, way, assessor, assessor.assess(choice, assessor.layouts[0]))


def offers_on(site: Site, ways: Iterable[Way], model: Model, request: Request, book: Book) -> list[Offer]:
    """Every way on these accelerators in the first format of the rules' ladder that holds in any of them.

    Where none does, in the format that the ladder began with.
    """
    asked = site.asked(request)
    hardware = as_it_stands(site.hardware, asked.nodes)
    deliberation = Deliberation(book, gather_facts(model, hardware, asked), asked)
    chooser = WayChooser(deliberation, Assessor(model, hardware, asked), site=site, ways=tuple(ways))
    if not chooser.ways:
        return []
    found = chooser.choose()
    choice = found.choice if found else next(iter(chooser.offers), None)
    return chooser.offers[choice] if choice else []


def cheapest(offer: Offer) -> float:
    """USD an hour; what has no price comes after what has one."""
    return inf if offer.usd_per_hour is None else offer.usd_per_hour
