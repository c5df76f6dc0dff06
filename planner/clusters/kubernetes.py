"""What `kubectl get nodes -o json` prints, as a cluster: the labels of NVIDIA's GPU feature discovery, MIG included.

Label names and the MIG strategies: NVIDIA/k8s-device-plugin, docs/gpu-feature-discovery/README.md. `single` puts the
profile into the product (`NVIDIA-H100-80GB-HBM3-MIG-1g.10gb`); `mixed` has labels and resources for each profile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from planner.clusters.cluster import Cluster, Link
from planner.clusters.grouping import Machine, grouped
from planner.errors import BadInput

COMMAND = "kubectl get nodes -o json"
PRODUCT, COUNT, RESOURCE = "nvidia.com/gpu.product", "nvidia.com/gpu.count", "nvidia.com/gpu"
REPLICAS = "nvidia.com/gpu.replicas"
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
RACKS = ("topology.kubernetes.io/rack", "network.topology.nvidia.com/leaf", "topology.kubernetes.io/zone")
SINGLE_MIG = re.compile(r"(.+)-MIG-(\d+g\.\d+gb)(?:\+\w+)?(?:-SHARED)?", re.IGNORECASE)
MIXED_MIG = re.compile(r"nvidia\.com/mig-(\d+g\.\d+gb)")


def cluster_from_kubernetes(nodes: Mapping[str, Any], *, name: str = "kubernetes", link: Link | None = None) -> Cluster:
    """The cluster of a node list (`kind: List` or `NodeList`). BadInput when it is none, or no node has a known GPU.

    Nodes that are cordoned or not ready are left out, with a note. Kubernetes does not tell what joins its nodes:
    `link` declares it.
    """
    items = nodes.get("items") if isinstance(nodes, Mapping) else None
    if not isinstance(items, list):
        raise BadInput("not a list of Kubernetes nodes: it has no `items`", fix=f"write it with `{COMMAND}`")
    notes: list[str] = []
    machines = [machine for node in items for machine in _machines(node, notes)]
    return grouped(name, machines, link, notes, "the Kubernetes nodes")


def _machines(node: Mapping[str, Any], notes: list[str]) -> Iterator[Machine]:
    metadata, status = node.get("metadata") or {}, node.get("status") or {}
    labels: Mapping[str, str] = metadata.get("labels") or {}
    name = str(metadata.get("name", "unnamed"))
    product = labels.get(PRODUCT)
    if product is None:
        return
    if reason := _unusable(node):
        notes.append(f"{name} left out: {reason}")
        return
    kind, rack = labels.get(INSTANCE_TYPE, ""), next((labels[key] for key in RACKS if key in labels), "")
    allocatable: Mapping[str, Any] = status.get("allocatable") or {}
    slices = {found[1]: int(count) for key, count in allocatable.items() if (found := MIXED_MIG.fullmatch(key))}
    whole = int(allocatable.get(RESOURCE, labels.get(COUNT, 0)))
    if product.endswith("-SHARED") or int(labels.get(REPLICAS, 1)) > 1:
        notes.append(f"{name}: its GPUs are time-shared; counted once each")
        whole = int(labels.get(COUNT, 0))
    single = SINGLE_MIG.fullmatch(product)
    card = product.removesuffix("-SHARED")
    yield Machine(name, f"{single[1]}:{single[2].lower()}" if single else card, whole, kind, rack)
    for profile, count in slices.items():
        yield Machine(f"{name} ({profile})", f"{card}:{profile}", count, f"{kind}-{profile}" if kind else "", rack)


def _unusable(node: Mapping[str, Any]) -> str:
    """Why nothing may be placed there; empty where something may."""
    if (node.get("spec") or {}).get("unschedulable"):
        return "it is cordoned"
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = next((condition for condition in conditions if condition.get("type") == "Ready"), None)
    return "it is not ready" if ready is not None and ready.get("status") != "True" else ""
