"""What does not fit: which model, by how much, what is short, and the nearest thing that would cure it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from planner.clusters.cluster import Cluster, NodeType
from planner.figures import figure, usd
from planner.fleet.fleet import Fleet
from planner.fleet.packing import SERVED, Packing


@dataclass(frozen=True, slots=True)
class Shortage:
    """One model that is not wholly served, with the reason and the nearest fix. Rates are requests a second."""

    model: str
    asked_per_s: float
    served_per_s: float
    why: str
    fix: str


def shortages(fleet: Fleet, cluster: Cluster, packing: Packing, more: Mapping[str, int]) -> tuple[Shortage, ...]:
    """The models that this packing leaves short; `more`: the nodes to add, by kind."""
    why, fix = _why(cluster, fleet, more), _fix(cluster, more)
    return tuple(
        Shortage(
            model=model.label,
            asked_per_s=model.requests_per_s,
            served_per_s=model.requests_per_s * (1 - packing.unserved[model.label]),
            why=why,
            fix=fix,
        )
        for model in fleet.models
        if packing.unserved.get(model.label, 0.0) > SERVED
    )


def _why(cluster: Cluster, fleet: Fleet, more: Mapping[str, int]) -> str:
    if not more:
        return "no number of nodes of these kinds was found that serves it"
    said = (_nodes(count, node) for node in cluster.nodes if (count := more.get(node.name, 0)))
    spare = f", with {fleet.spare_nodes} kept spare of each kind in use" if fleet.spare_nodes else ""
    return f"the cluster is short of {' and '.join(said)}{spare}"


def _nodes(count: int, node: NodeType) -> str:
    noun = "node" if count == 1 else "nodes"
    return f"{count} {noun} of {node.name} ({count * node.gpus} x {node.accelerator.name})"


def _fix(cluster: Cluster, more: Mapping[str, int]) -> str:
    if not more:
        return "allow more `loss`, relax its targets, or add nodes of another type"
    prices = {node.name: node.usd_per_node_hour for node in cluster.nodes}
    parts = []
    for name, count in more.items():
        price = prices[name]
        parts.append(f"{count} x {name}" + (f" ({usd(count * price)} an hour)" if price is not None else ""))
    return f"add {' and '.join(parts)}, lower a load, or a `priority`"


def told(shortage: Shortage) -> str:
    """One line for people."""
    rates = f"{figure(shortage.served_per_s)} of {figure(shortage.asked_per_s)} requests/s"
    return f"{shortage.model}: {rates} served; {shortage.why}"
