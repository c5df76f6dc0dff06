"""The door: a fleet on a cluster -> which copies where, what it costs, what is left, and what does not fit and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter

from planner.clusters.cluster import Cluster, NodeType
from planner.costs.formula import HOURS_PER_MONTH
from planner.errors import BadInput, nearest
from planner.fleet.fleet import Fleet, ServedModel
from planner.fleet.option import Ways
from planner.fleet.options import ways_to_serve
from planner.fleet.packing import SERVED, Limits, Packer, Packing
from planner.fleet.placing import Placed, placed
from planner.fleet.shortages import Shortage, shortages
from planner.fleet.under_load import Options, packed_within_percentiles
from rules.book import Book, load_book


@dataclass(frozen=True)
class FleetPlan:
    """The answer. `gap`: how far the cost may lie above the proven bound, as a part of it.

    `short`: models that are not, or not wholly, served. Seconds: to time the options, and to solve.
    """

    cluster: Cluster
    fleet: Fleet
    packing: Packing
    copies: tuple[Placed, ...]
    short: tuple[Shortage, ...]
    options_s: float
    solving_s: float
    notes: tuple[str, ...] = ()

    @property
    def gap(self) -> float:
        return self.packing.gap

    @cached_property
    def nodes_in_use(self) -> dict[str, int]:
        """Nodes with a copy on them, by kind."""
        used = {(copy.option.node_type, number) for copy in self.copies for number in copy.nodes}
        return dict(Counter(name for name, _ in used))

    def copies_of(self, model: ServedModel) -> tuple[Placed, ...]:
        return tuple(copy for copy in self.copies if copy.option.model == model.label)

    def carried_per_s(self, model: ServedModel) -> float:
        """Requests a second its copies are planned to carry."""
        return sum(copy.option.requests_per_s for copy in self.copies_of(model))

    def without_worst_node(self, model: ServedModel) -> float:
        """The part of its capacity that stays while the copies of the one worst node start again elsewhere."""
        lost: defaultdict[tuple[str, int], float] = defaultdict(float)
        for copy in self.copies_of(model):
            for number in copy.nodes:
                lost[copy.option.node_type, number] += copy.option.requests_per_s
        carried = self.carried_per_s(model)
        return 1 - max(lost.values(), default=0.0) / carried if carried else 0.0

    def spare_nodes(self, node: NodeType) -> int:
        """Nodes kept empty so that as many may fail."""
        return self.fleet.spare_nodes if self.nodes_in_use.get(node.name) else 0

    def free_nodes(self, node: NodeType) -> int:
        """Empty nodes beyond the spare ones."""
        return node.count - self.nodes_in_use.get(node.name, 0) - self.spare_nodes(node)

    @property
    def gpus_in_use(self) -> int:
        return sum(copy.option.gpus for copy in self.copies)

    @property
    def usd_per_hour(self) -> float | None:
        """Of the nodes in use and the spare ones; None where a price is not known."""
        total = 0.0
        for node in self.cluster.nodes:
            nodes = self.nodes_in_use.get(node.name, 0)
            if nodes and node.usd_per_node_hour is None:
                return None
            total += (nodes + self.spare_nodes(node)) * (node.usd_per_node_hour or 0.0)
        return total

    @property
    def usd_per_month(self) -> float | None:
        return None if self.usd_per_hour is None else self.usd_per_hour * HOURS_PER_MONTH


def plan_fleet(cluster: Cluster, fleet: Fleet, *, limits: Limits | None = None, book: Book | None = None) -> FleetPlan:
    """The cheapest packing that serves the fleet with its spare nodes; where there is none, the most that fits.

    BadInput for a model or node type nobody knows, a missing price, or without the solver.
    """
    _require_known_nodes(cluster, fleet)
    began = perf_counter()
    rules = book or load_book()
    ways = {model.label: ways_to_serve(model, cluster, fleet, rules) for model in fleet.models}
    timed = perf_counter()
    held = packed_within_percentiles(
        {label: way.options for label, way in ways.items()},
        fleet,
        cluster,
        lambda options, bounds: _packed(Packer(cluster, fleet, options, bounds)),
        limits or Limits(),
    )
    short = _nowhere(fleet, held.options, ways)
    if any(unserved > SERVED for unserved in held.packing.unserved.values()):
        more = Packer(cluster, fleet, held.options, limits or Limits()).nodes_to_add(held.packing)
        short += shortages(fleet, cluster, held.packing, more)
    copies = placed(cluster, held.packing)
    return FleetPlan(cluster, fleet, held.packing, copies, short, timed - began, perf_counter() - timed, held.notes)


def _packed(packer: Packer) -> Packing:
    """All that is asked for, else as much as fits."""
    whole = packer.whole()
    return packer.as_much_as_possible() if whole is None else whole


def _nowhere(fleet: Fleet, options: Options, ways: dict[str, Ways]) -> tuple[Shortage, ...]:
    """Models that no kind of node can serve, however many there are."""
    return tuple(
        Shortage(
            model=model.label,
            asked_per_s=model.requests_per_s,
            served_per_s=0.0,
            why="; ".join(f"{node}: {reason}" for node, reason in ways[model.label].why_not)
            or f"{model.percentile} of 100 requests wait longer than its targets under any load",
            fix="add nodes of another type, allow more `loss`, or relax its targets",
        )
        for model in fleet.models
        if not options[model.label]
    )


def _require_known_nodes(cluster: Cluster, fleet: Fleet) -> None:
    known = [node.name for node in cluster.nodes]
    for model in fleet.models:
        for name in model.node_types or ():
            if name not in known:
                raise BadInput(
                    f"{model.label} is to stand on {name!r}, which {cluster.name} does not have",
                    nearest=nearest(name, known),
                    fix=f"name one of: {', '.join(known)}",
                )
