"""What `ray.nodes()` returns, as a cluster: a GPU count and an `accelerator_type:...` resource for each node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from planner.clusters.cluster import Cluster, Link
from planner.clusters.grouping import Machine, grouped
from planner.errors import BadInput

COMMAND = "python -c 'import json, ray; ray.init(\"auto\"); print(json.dumps(ray.nodes()))' > nodes.json"
TYPE = "accelerator_type:"
RACK = "ray.io/availability-zone"
GROUP = "ray.io/node-group"


def cluster_from_ray(nodes: Sequence[Mapping[str, Any]], *, name: str = "ray", link: Link | None = None) -> Cluster:
    """The cluster of a list of Ray nodes. BadInput when it is none, or no living node has a known accelerator.

    Ray does not tell what joins its nodes: `link` declares it. Its names leave the memory of some cards open (A100):
    they are taken as the catalogue takes them, with a note.
    """
    if not isinstance(nodes, list | tuple) or not all(isinstance(node, Mapping) for node in nodes):
        raise BadInput("not a list of Ray nodes", fix=f"write it with {COMMAND}")
    notes: list[str] = []
    machines = [machine for node in nodes for machine in _machines(node, notes)]
    return grouped(name, machines, link, notes, "the Ray nodes")


def _machines(node: Mapping[str, Any], notes: list[str]) -> Iterator[Machine]:
    resources: Mapping[str, float] = node.get("Resources") or {}
    labels: Mapping[str, str] = node.get("Labels") or {}
    name = str(node.get("NodeManagerHostname") or node.get("NodeID") or "unnamed")
    gpus = int(resources.get("GPU", 0))
    if not gpus:
        return
    if not node.get("Alive", node.get("alive", True)):
        notes.append(f"{name} left out: it is not alive")
        return
    product = next((key.removeprefix(TYPE) for key in resources if key.startswith(TYPE)), "")
    product = product or labels.get("ray.io/accelerator-type", "")
    if not product:
        notes.append(f"{name} left out: Ray does not tell the type of its {gpus} GPUs")
        return
    yield Machine(name, _spelled(product), gpus, labels.get(GROUP, ""), labels.get(RACK, ""))


def _spelled(product: str) -> str:
    """Ray writes `A100-80G` where the catalogue writes `A100-80GB`."""
    return f"{product}B" if product[-1:] == "G" and product[-2:-1].isdigit() else product
