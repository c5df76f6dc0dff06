"""Which copies on which kinds of nodes: a cutting-stock program, exact for any sizes of copies and nodes.

A pattern cuts one node into slots (8 -> 4+2+2); the program counts nodes by pattern and copies by option. Copies in
stages take whole nodes. Every kind of node in use keeps spare nodes empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from planner.catalog import load_yaml
from planner.clusters.cluster import Cluster, NodeType
from planner.errors import BadInput
from planner.fleet.fleet import Fleet, ServedModel
from planner.fleet.option import Option
from planner.fleet.program import NothingFoundInTime, Program, Solution, solve

Pattern = tuple[int, ...]
SERVED = 1e-4  # a smaller part of a load left unserved is the solver's rounding
MOST_NODES = 100_000
PREFERS_FEWER_GPUS = 1e-6  # of plans that cost the same, the one with more accelerators left free


@dataclass(frozen=True, slots=True)
class Packing:
    """Copies by option, and nodes by kind and pattern (the slots of a node). `unserved`: part of each model's load."""

    copies: tuple[tuple[Option, int], ...]
    nodes: tuple[tuple[str, Pattern, int], ...]
    unserved: Mapping[str, float]
    gap: float
    seconds: float
    values: tuple[float, ...] = ()

    @property
    def nodes_in_use(self) -> dict[str, int]:
        """Nodes with a copy on them, by kind."""
        used: Counter[str] = Counter()
        for name, _, count in self.nodes:
            used[name] += count
        for option, count in self.copies:
            used[option.node_type] += count * option.nodes if option.nodes > 1 else 0
        return {name: count for name, count in used.items() if count}


@dataclass(frozen=True, slots=True)
class Limits:
    """When the solver may stop. `again`: for a program like one that was solved just before."""

    relative_gap: float = field(
        default_factory=lambda: float(load_yaml("clusters.yaml")["solver"]["relative_gap"]["value"])
    )
    time_limit_s: float = field(
        default_factory=lambda: float(load_yaml("clusters.yaml")["solver"]["time_limit_s"]["value"])
    )

    @property
    def again(self) -> Limits:
        share: float = load_yaml("clusters.yaml")["solver"]["again_share"]["value"]
        return replace(self, time_limit_s=share * self.time_limit_s)


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
        """The cheapest packing that serves every model; None where there is none, or none was found in time."""
        try:
            return _Draft(self).packed(self.limits)
        except NothingFoundInTime:
            return None

    def as_much_as_possible(self) -> Packing:
        """Priority by priority, as large a part of the loads as fits; then the cheapest way to serve that."""
        kept: dict[str, float] = {}
        start: tuple[float, ...] = ()
        for priority in sorted({model.priority for model in self.fleet.models}, reverse=True):
            equals = [m.label for m in self._served() if m.priority == priority]
            draft = _Draft(self, unserved=kept, free=equals)
            found = draft.packed(self.limits, start)
            assert found is not None  # serving nothing of these is always possible
            start = found.values
            kept |= {label: min(found.unserved[label] + 1e-6, 1.0) for label in equals if found.unserved[label] > 1e-6}
            kept |= {label: 0.0 for label in equals if found.unserved[label] <= 1e-6}
        final = _Draft(self, unserved=kept).packed(self.limits, start)
        assert final is not None  # where it starts from is one
        return final

    def nodes_to_add(self, packing: Packing) -> Mapping[str, int]:
        """The least costly nodes, by kind, that serve what this packing leaves; none where no number was found.

        A kind that is not in use yet brings its spare nodes along.
        """
        left = [
            model.model_copy(update={"requests_per_s": model.requests_per_s * unserved, "min_replicas": 1})
            for model in self._served()
            if (unserved := packing.unserved.get(model.label, 0.0)) > SERVED
        ]
        if not left:
            return {}
        endless = tuple(node.model_copy(update={"count": MOST_NODES}) for node in self.cluster.nodes)
        fleet = self.fleet.model_copy(update={"models": tuple(left), "spare_nodes": 0})
        more = Packer(self.cluster.model_copy(update={"nodes": endless}), fleet, self.options, self.limits).whole()
        if more is None:
            return {}
        in_use = packing.nodes_in_use
        return {
            name: count + (0 if name in in_use else self.fleet.spare_nodes) for name, count in more.nodes_in_use.items()
        }

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
    ) -> None:
        self.packer, self.program = packer, Program()
        self.counts_cost = free is None
        self.copies: dict[Option, int] = {}
        self.cuts: dict[tuple[str, Pattern], int] = {}
        self.shares: dict[str, int] = {}
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
        self.program.at_most({**used, in_use: -float(max(node.count - spare, 0))}, 0.0)

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

    def packed(self, limits: Limits, start: tuple[float, ...] = ()) -> Packing | None:
        found = solve(self.program, relative_gap=limits.relative_gap, time_limit_s=limits.time_limit_s, start=start)
        return None if found is None else self._read(found)

    def _read(self, found: Solution) -> Packing:
        return Packing(
            copies=tuple(
                (option, found.count(column)) for option, column in self.copies.items() if found.count(column)
            ),
            nodes=tuple((*key, found.count(column)) for key, column in self.cuts.items() if found.count(column)),
            unserved={label: found.values[column] for label, column in self.shares.items()},
            gap=found.gap,
            seconds=found.seconds,
            values=found.values,
        )
