"""What Ray and Kubernetes print about a running cluster, in the shapes their documentation gives."""

from __future__ import annotations

from typing import Any

import pytest

from planner.clusters.cluster import Link
from planner.clusters.kubernetes import cluster_from_kubernetes
from planner.clusters.ray import cluster_from_ray
from planner.errors import BadInput


def node(name: str, product: str, gpus: int, ready: str = "True", **more: Any) -> dict[str, Any]:
    """A node as `kubectl get nodes -o json` lists it, with the labels of GPU feature discovery."""
    labels = {"nvidia.com/gpu.product": product, "nvidia.com/gpu.count": str(gpus), **more.get("labels", {})}
    allocatable = {"cpu": "96", "memory": "2113Gi", "nvidia.com/gpu": str(gpus), **more.get("allocatable", {})}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": more.get("spec", {}),
        "status": {"allocatable": allocatable, "conditions": [{"type": "Ready", "status": ready}]},
    }


def listed(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "List", "items": list(nodes)}


def kinds(cluster: Any) -> list[tuple[str, str, int, int]]:
    return [(kind.name, kind.accelerator.name, kind.gpus, kind.count) for kind in cluster.nodes]


def test_kubernetes_nodes_alike_are_one_kind() -> None:
    rack = {"topology.kubernetes.io/zone": "b"}
    nodes = [node("a", "NVIDIA-H100-80GB-HBM3", 8), node("b", "NVIDIA-H100-80GB-HBM3", 8, labels=rack)]
    cluster = cluster_from_kubernetes(listed(*nodes, node("c", "Tesla-T4", 4), {"metadata": {"name": "cpu"}}))
    assert kinds(cluster) == [("8xH100-80GB-SXM", "H100-80GB-SXM", 8, 2), ("4xT4", "T4", 4, 1)]
    assert cluster.link_of(cluster.nodes[0]) is None


def test_the_link_that_kubernetes_does_not_tell_is_declared() -> None:
    cluster = cluster_from_kubernetes(listed(node("a", "NVIDIA-L4", 1)), link=Link(kind="ethernet", gbit_s=100))
    assert cluster.between_nodes == Link(kind="ethernet", gbit_s=100)


def test_nodes_that_take_no_pods_are_left_out_with_a_note() -> None:
    cordoned = node("b", "NVIDIA-L4", 1, spec={"unschedulable": True})
    cluster = cluster_from_kubernetes(listed(node("a", "NVIDIA-L4", 1), cordoned, node("c", "NVIDIA-L4", 1, "False")))
    assert cluster.gpus == 1
    assert cluster.notes == ("b left out: it is cordoned", "c left out: it is not ready")


def test_mig_of_one_profile_is_in_the_product_name() -> None:
    cluster = cluster_from_kubernetes(listed(node("a", "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb", 56)))
    assert kinds(cluster) == [("56xH100-80GB-SXM:1g.10gb", "H100-80GB-SXM:1g.10gb", 56, 1)]


def test_mig_of_mixed_profiles_is_in_the_resources() -> None:
    slices = {"nvidia.com/gpu": "4", "nvidia.com/mig-3g.40gb": "8", "nvidia.com/mig-1g.10gb": "0"}
    cluster = cluster_from_kubernetes(listed(node("a", "NVIDIA-H100-80GB-HBM3", 8, allocatable=slices)))
    assert {(gpu, gpus) for _, gpu, gpus, _ in kinds(cluster)} == {("H100-80GB-SXM", 4), ("H100-80GB-SXM:3g.40gb", 8)}


def test_shared_gpus_are_counted_once() -> None:
    shared = node(
        "a", "NVIDIA-L4-SHARED", 1, labels={"nvidia.com/gpu.replicas": "10"}, allocatable={"nvidia.com/gpu": "10"}
    )
    cluster = cluster_from_kubernetes(listed(shared))
    assert cluster.gpus == 1 and cluster.notes == ("a: its GPUs are time-shared; counted once each",)


def test_the_operators_own_name_of_a_machine_is_kept() -> None:
    labels = {"node.kubernetes.io/instance-type": "p5.48xlarge"}
    cluster = cluster_from_kubernetes(listed(node("a", "NVIDIA-H100-80GB-HBM3", 8, labels=labels)))
    assert kinds(cluster)[0][0] == "p5.48xlarge"


def test_what_is_no_node_list_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        cluster_from_kubernetes({"kind": "Pod"})
    assert str(caught.value) == (
        "not a list of Kubernetes nodes: it has no `items`\nTo fix: write it with `kubectl get nodes -o json`"
    )


def test_a_cluster_without_a_known_accelerator_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        cluster_from_kubernetes(listed(node("a", "Acme-9000", 8)))
    assert str(caught.value) == (
        "no node with a known accelerator in the Kubernetes nodes: a left out: Acme-9000 is not in the catalogue\n"
        "To fix: declare the cluster in YAML instead"
    )


def ray_node(name: str, kind: str, gpus: float, alive: bool = True) -> dict[str, Any]:
    types = {f"accelerator_type:{kind}": 1.0} if kind else {}
    resources = {"CPU": 96.0, "memory": 2.1e12, "GPU": gpus, f"node:{name}": 1.0, **types}
    return {"NodeID": name, "Alive": alive, "NodeManagerHostname": name,
            "Resources": resources, "Labels": {}}  # fmt: skip


def test_ray_nodes_alike_are_one_kind() -> None:
    head = {"NodeID": "head", "Alive": True, "Resources": {"CPU": 8.0}}
    nodes = [head, ray_node("a", "H100", 8), ray_node("b", "H100", 8), ray_node("c", "A100-80G", 4)]
    assert kinds(cluster_from_ray(nodes)) == [
        ("4xA100-80GB-SXM", "A100-80GB-SXM", 4, 1),
        ("8xH100-80GB-SXM", "H100-80GB-SXM", 8, 2),
    ]


def test_dead_and_nameless_ray_nodes_are_left_out_with_a_note() -> None:
    cluster = cluster_from_ray([ray_node("a", "L4", 1), ray_node("b", "L4", 1, alive=False), ray_node("c", "", 2)])
    assert cluster.gpus == 1
    assert cluster.notes == ("b left out: it is not alive", "c left out: Ray does not tell the type of its 2 GPUs")


def test_what_is_no_list_of_ray_nodes_is_refused() -> None:
    with pytest.raises(BadInput, match="not a list of Ray nodes\nTo fix: write it with python -c"):
        cluster_from_ray({"nodes": []})  # type: ignore[arg-type]
