"""Which copies on which kinds of nodes: a cutting-stock program, exact for any sizes of copies and nodes.

A pattern cuts one node into slots (8 -> 4+2+2); the program counts nodes by pattern and copies by option. Copies in
stages take whole nodes. Every kind of node in use keeps spare nodes empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from planner.catalog import load_yaml
from planner.clusters.cluster import Cluster, NodeType
from planner.errors import BadInput
from planner.fleet.fleet import Fleet, ServedModel
from planner.fleet.option import Option
from planner.fleet.program import Program, Solution, solve

Pattern = tuple[int, ...]
PREFERS_FEWER_GPUS = 1e-6  # of plans that cost the same, the one with more accelerators left free


@dataclass(frozen=True, slots=True)
class Packing:
    """Copies by option, and nodes by kind and pattern (the slots of a node). `extra`: nodes that are not there."""

    copies: tuple[tuple[Option, int], ...]
    nodes: tuple[tuple[str, Pattern, int], ...]
    unserved: Mapping[str, float]
    extra: Mapping[str, int]
    gap: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """When the solver may stop."""

    relative_gap: float = field(
        default_factory=lambda: float(load_yaml("clusters.yaml")["solver"]["relative_gap"]["value"])
    )
    time_limit_s: float = field(
        default_factory=lambda: float(load_yaml("clusters.yaml")["solver"]["time_limit_s"]["value"])
    )


def patterns(gpus: int, sizes: Sequence[int]) -> tuple[Pattern, ...]:
    """Every way to cut a node into slots of these sizes that leaves no room for another, largest slots first."""
    return tuple(_cuts(gpus, sorted(set(sizes), reverse=True)))


def _cuts(left: int, sizes: Sequence[int]) -> Iterator[Pattern]:
    size, smaller = sizes[0], sizes[1:]
    if not smaller:
        yield (size,) * (left // size)
        return
    for count in range(left // size, -1, -1):
        for rest in _cuts(left - count * size, smaller):
            yield (size,) * count + rest


@dataclass(slots=True)
class Packer:
    """One fleet on one cluster, as programs. `options`: those of each model that has any."""

    cluster: Cluster
    fleet: Fleet
    options: Mapping[str, Sequence[Option]]
    limits: Limits = field(default_factory=Limits)

    def whole(self) -> Packing | None:
        """The cheapest packing that serves every model; None where there is none."""
        draft = _Draft(self)
        return draft.packed(self.limits)

    def as_much_as_possible(self) -> Packing:
        """Priority by priority, as large a part of the loads as fits; then the cheapest way to serve that."""
        kept: dict[str, float] = {}
        for priority in sorted({model.priority for model in self.fleet.models}, reverse=True):
            equals = [m.label for m in self._served() if m.priority == priority]
            draft = _Draft(self, unserved=kept, free=equals)
            found = draft.packed(self.limits)
            assert found is not None  # serving nothing of these is always possible
            kept |= {label: min(found.unserved[label] + 1e-6, 1.0) for label in equals if found.unserved[label] > 1e-6}
            kept |= {label: 0.0 for label in equals if found.unserved[label] <= 1e-6}
        final = _Draft(self, unserved=kept).packed(self.limits)
        assert final is not None
        return final

    def with_more_nodes(self) -> Packing | None:
        """The least costly nodes to add so that every model that has an option is served; None: no number helps."""
        return _Draft(self, may_grow=True).packed(self.limits)

    def _served(self) -> list[ServedModel]:
        return [model for model in self.fleet.models if self.options.get(model.label)]


class _Draft:
    """One program: its columns by what they mean.

    `unserved`: the part of each load that may stay unserved (0: none; models not named: all must be served unless they
    are in `free`, whose unserved part is minimised).
    """

    def __init__(
        self,
        packer: Packer,
        *,
        unserved: Mapping[str, float] | None = None,
        free: Sequence[str] | None = None,
        may_grow: bool = False,
    ) -> None:
        self.packer, self.program = packer, Program()
        self.counts_cost = free is None
        self.may_grow = may_grow
        self.copies: dict[Option, int] = {}
        self.cuts: dict[tuple[str, Pattern], int] = {}
        self.shares: dict[str, int] = {}
        self.extra: dict[str, int] = {}
        known, minimised = unserved or {}, set(free or ())
        for model in packer.fleet.models:
            options = packer.options.get(model.label, ())
            if options:
                later = free is not None and model.label not in minimised and model.label not in known
                most = 1.0 if model.label in minimised or later else known.get(model.label, 0.0)
                self._model(model, options, most, weight=1.0 if model.label in minimised else 0.0)
        for node in packer.cluster.nodes:
            self._nodes(node)

    def _model(self, model: ServedModel, options: Sequence[Option], most: float, weight: float) -> None:
        """Its copies carry the load, less what may stay unserved, and are as many as asked for."""
        price = 1.0 if self.packer.fleet.objective == "gpus" else PREFERS_FEWER_GPUS
        for option in options:
            self.copies[option] = self.program.column(price * option.gpus if self.counts_cost else 0.0)
        share = self.shares[model.label] = self.program.column(weight, most, whole=False)
        rates = {self.copies[option]: option.requests_per_s / model.requests_per_s for option in options}
        self.program.at_least({**rates, share: 1.0}, 1.0)
        ones = {self.copies[option]: 1.0 for option in options}
        self.program.at_least({**ones, share: float(model.min_replicas)}, float(model.min_replicas))

    def _nodes(self, node: NodeType) -> None:
        """Slots of the patterns hold the copies; nodes in use and the spare ones are there."""
        here = [option for option in self.copies if option.node_type == node.name]
        if not here:
            return
        sizes = sorted({option.gpus for option in here if option.nodes == 1})
        cuts = {cut: self.program.column(0.0) for cut in patterns(node.gpus, sizes)} if sizes else {}
        self.cuts |= {(node.name, cut): column for cut, column in cuts.items()}
        for size in sizes:
            taken = {self.copies[option]: 1.0 for option in here if option.nodes == 1 and option.gpus == size}
            slots = {column: -float(cut.count(size)) for cut, column in cuts.items() if size in cut}
            self.program.at_most({**taken, **slots}, 0.0)
        used = dict.fromkeys(cuts.values(), 1.0)
        used |= {self.copies[option]: float(option.nodes) for option in here if option.nodes > 1}
        self._bounded(node, used)

    def _bounded(self, node: NodeType, used: Mapping[int, float]) -> None:
        spare = self.packer.fleet.spare_nodes
        in_use = self.program.column(self._price(node) * spare, 1.0)
        for column, nodes in used.items():
            self.program.costs[column] += self._price(node) * nodes
        most = 1e6 if self.may_grow else float(max(node.count - spare, 0))
        self.program.at_most({**used, in_use: -most}, 0.0)
        grown = {}
        if self.may_grow:
            self.extra[node.name] = self.program.column(1000.0 * max(self._price(node), node.gpus * 1e-3))
            grown = {self.extra[node.name]: -1.0}
        self.program.at_most({**used, in_use: float(spare), **grown}, float(node.count))

    def _price(self, node: NodeType) -> float:
        """USD an hour of a node; nothing where accelerators are counted, or as much as possible is to be served."""
        if not self.counts_cost or self.packer.fleet.objective == "gpus":
            return 0.0
        price = node.usd_per_node_hour
        if price is None:
            raise BadInput(
                f"no price is known for {node.accelerator.name} ({node.name})",
                fix="give `price: {usd_per_node_hour: ...}` in the cluster file, or ask for `objective: gpus`",
            )
        return price

    def packed(self, limits: Limits) -> Packing | None:
        found = solve(self.program, relative_gap=limits.relative_gap, time_limit_s=limits.time_limit_s)
        return None if found is None else self._read(found)

    def _read(self, found: Solution) -> Packing:
        return Packing(
            copies=tuple(
                (option, found.count(column)) for option, column in self.copies.items() if found.count(column)
            ),
            nodes=tuple((*key, found.count(column)) for key, column in self.cuts.items() if found.count(column)),
            unserved={label: found.values[column] for label, column in self.shares.items()},
            extra={name: found.count(column) for name, column in self.extra.items() if found.count(column)},
            gap=found.gap,
            seconds=found.seconds,
        )
