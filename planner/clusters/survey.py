"""Everything of a cluster that is weighed for one question: kinds of nodes, sets of accelerators, ways to lay out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from planner.candidate import Weighed
from planner.catalog import load_yaml
from planner.clusters.carrying import Copies
from planner.clusters.cluster import Cluster, NodeType
from planner.clusters.ways import Way, ways_of
from planner.clusters.weighing import Offer, Site, offers_on
from planner.errors import BadInput, nearest
from planner.models.model import Model
from planner.request import Request
from rules.book import Book


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is insisted on of the cluster: so many whole nodes, one kind of them, a way to lay a copy out."""

    nodes: int | None = None
    node_type: str | None = None
    way: Way | None = None


ANYTHING = Wanted()


@dataclass(slots=True)
class Survey:
    """Everything of a cluster that was weighed for one question; `rows` is what is shown of it."""

    request: Request
    cluster: Cluster
    wanted: Wanted
    book: Book
    model: Model
    rows: list[Weighed] = field(default_factory=list)

    @property
    def kinds(self) -> list[NodeType]:
        """The kinds of nodes there are any of, or the one insisted on. BadInput where there is none such."""
        known = [node for node in self.cluster.nodes if node.count]
        if self.wanted.node_type is None:
            return known
        found = [node for node in known if node.name == self.wanted.node_type]
        if not found:
            names = [node.name for node in known]
            close, fix = nearest(self.wanted.node_type, names), f"name one of: {', '.join(names)}"
            raise BadInput(f"{self.cluster.name} has no node type {self.wanted.node_type!r}", nearest=close, fix=fix)
        return found

    def offers(self, node: NodeType, accelerators: int, request: Request | None = None) -> list[Offer]:
        """Every way of just so many accelerators of this kind."""
        joined = self.cluster.link_of(node) is not None
        ways: Iterable[Way] = ways_of(self.model.shape, node, accelerators, joined=joined)
        if self.wanted.way:
            ways = [self.wanted.way] if self.wanted.way.accelerators == accelerators else []
        site = Site(self.cluster, node, accelerators)
        return offers_on(site, ways, self.model, request or self.request, self.book)

    def filling(self, node: NodeType, nodes: int) -> list[Offer]:
        """Every way on so many whole nodes, its copies beside each other until they are full (or idle)."""
        joined = self.cluster.link_of(node) is not None
        total, shape = nodes * node.gpus, self.model.shape
        parts = [way for size in range(1, node.gpus) for way in ways_of(shape, node, size, joined=joined)]
        whole = [way for n in range(1, nodes + 1) for way in ways_of(shape, node, n * node.gpus, joined=joined)]
        ways = [way for way in (*parts, *whole) if total % way.accelerators == 0]
        ways = [way for way in ways if way.pools is None or way.accelerators == total]
        request = self.request
        if request.workload.requests_per_s is not None:  # a batch is found for each copy; all have something to do
            request = in_flight(request, total)
        insisted = [self.wanted.way] if self.wanted.way else ways
        return offers_on(Site(self.cluster, node, total), insisted, self.model, request, self.book)

    def sizes(self, node: NodeType) -> list[int]:
        """Sets of accelerators to try for one copy, smallest first: parts of a node by halves, then whole nodes."""
        if self.wanted.way:
            return [self.wanted.way.accelerators]
        most: int = load_yaml("clusters.yaml")["fleet"]["most_nodes_a_copy"]["value"]
        parts = {2**n for n in range(node.gpus.bit_length()) if 2**n <= node.gpus} | {node.gpus}
        joined = self.cluster.link_of(node) is not None
        return sorted(parts) + [n * node.gpus for n in range(2, min(node.count, most) + 1) if joined]

    def show(self, offers: Sequence[Offer], loads: Mapping[Way, Copies | None] | None = None) -> None:
        """Keep one row for each sort of layout: the best of those that hold, else the nearest.

        `loads`: what each way carries, where a rate is asked for.
        """
        loads = loads or {}
        costs = {way: load.usd_per_hour for way, load in loads.items() if load is not None}
        sorts: dict[str, Offer] = {}
        for offer in sorted(offers, key=lambda o: (not o.holds, costs.get(o.way, 0.0), -o.tokens_per_s)):
            sorts.setdefault(offer.way.kind, offer)
        self.rows += [_told(offer, loads.get(offer.way)) for offer in sorts.values()]


def _told(offer: Offer, load: Copies | None) -> Weighed:
    """The row of a way that carries the rate with so many copies, or why it does not."""
    if load is None:
        return offer.told()
    short = () if load.is_there else (f"takes {load.nodes} nodes, {offer.site.cluster.name} has {load.there}",)
    row = load.row()
    return row.model_copy(update={"reasons": short, "verdict": "feasible" if load.is_there else "does-not-fit"})


def in_flight(request: Request, concurrency: int) -> Request:
    load = request.workload.model_copy(update={"concurrency": concurrency})
    return request.model_copy(update={"workload": load})
