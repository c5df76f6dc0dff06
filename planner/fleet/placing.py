"""From counts to places: which copy stands on which node, its copies spread over racks and nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from planner.clusters.cluster import Cluster, NodeType
from planner.fleet.option import Option
from planner.fleet.packing import Packing


@dataclass(frozen=True, slots=True)
class Placed:
    """One copy on its node, or on its nodes where it is in stages. Nodes are numbered from 0 within their kind."""

    option: Option
    nodes: tuple[int, ...]


def placed(cluster: Cluster, packing: Packing) -> tuple[Placed, ...]:
    """Every copy of the packing on a node of its kind; no accelerator is used twice."""
    return tuple(copy for node in cluster.nodes for copy in _on_kind(node, packing))


def _on_kind(node: NodeType, packing: Packing) -> Iterator[Placed]:
    copies = [option for option, count in packing.copies if option.node_type == node.name for _ in range(count)]
    free = iter(sorted(range(node.count), key=node.rack_of))  # a copy in stages stays in as few racks as it can
    for option in copies:
        if option.nodes > 1:
            yield Placed(option, tuple(next(free) for _ in range(option.nodes)))
    cuts = [cut for name, cut, count in packing.nodes if name == node.name for _ in range(count)]
    numbers = sorted(free)[: len(cuts)]
    whole = sorted((option for option in copies if option.nodes == 1), key=lambda option: -option.gpus)
    spread = _spread(node, whole, dict.fromkeys(numbers, node.gpus))
    yield from spread if len(spread) == len(whole) else _in_slots(whole, list(zip(numbers, cuts, strict=True)))


def _spread(node: NodeType, copies: list[Option], room: dict[int, int]) -> list[Placed]:
    """Each copy, the largest first, where its model has the fewest: first by node, then by rack.

    Always succeeds where every size divides the next larger one; else it may end before all are placed.
    """
    on_rack: Counter[tuple[str, int]] = Counter()
    on_node: Counter[tuple[str, int]] = Counter()
    found = []
    for option in copies:
        model = option.model
        having = (number for number, left in room.items() if left >= option.gpus)
        number = min(having, key=lambda n: (on_node[model, n], on_rack[model, node.rack_of(n)], n), default=None)
        if number is None:
            break
        room[number] -= option.gpus
        on_rack[model, node.rack_of(number)] += 1
        on_node[model, number] += 1
        found.append(Placed(option, (number,)))
    return found


def _in_slots(copies: list[Option], cuts: list[tuple[int, tuple[int, ...]]]) -> list[Placed]:
    """Each copy in a slot of its size, as the solver cut the nodes."""
    slots: dict[int, list[int]] = {}
    for number, cut in cuts:
        for size in cut:
            slots.setdefault(size, []).append(number)
    return [Placed(option, (slots[option.gpus].pop(),)) for option in copies]
