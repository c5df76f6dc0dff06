"""Before anything is applied: the namespace, the interfaces and the planned GPU are there, or what is not is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from executor.distributed.kubernetes.api import KubeApi
from executor.distributed.kubernetes.refusals import Document, Forbidden, lacking, name_of, no_namespace
from planner.errors import ExecutionFailed
from planner.launching.kubernetes_deployed import GPU, Deployed

PRODUCT = "nvidia.com/gpu.product"
STORAGE = "storage.k8s.io/v1"


def require_cluster(api: KubeApi, deployed: Deployed, documents: Iterable[Document]) -> None:
    """ExecutionFailed when the cluster lacks what the documents need. What may not be looked at is not judged."""
    require_namespace(api, deployed.site.namespace)
    require_storage_class(api, deployed.site.storage_class)
    for document in documents:
        if not api.serves(document["apiVersion"]):
            raise lacking(document, f"{api.address}, {name_of(document)}")
    require_gpus(api, deployed)


def require_namespace(api: KubeApi, name: str) -> None:
    """ExecutionFailed when there is no such namespace."""
    try:
        if api.get({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}) is None:
            raise no_namespace(name, api.address, tuple(api.names("Namespace", "v1")))
    except Forbidden:
        return


def require_storage_class(api: KubeApi, name: str | None) -> None:
    """ExecutionFailed when there is no such storage class: a claim of it would wait for ever."""
    if name is None:
        return
    try:
        if api.get({"apiVersion": STORAGE, "kind": "StorageClass", "metadata": {"name": name}}) is None:
            raise ExecutionFailed(
                f"no storage class {name!r}",
                where=api.address,
                nearest=api.names("StorageClass", STORAGE),
                fix="name one that offers ReadWriteMany with --storage-class; kubectl get storageclass lists them",
            )
    except Forbidden:
        return


def require_gpus(api: KubeApi, deployed: Deployed) -> None:
    """ExecutionFailed when no node is of the planned card and has as many of it as a pod asks for.

    With node selectors the nodes may be those of a pool that grows when it is asked: they are not looked for.
    """
    if not deployed.products or deployed.site.node_selector:
        return
    try:
        nodes = api.nodes()
    except Forbidden:
        return
    if sum(_gpus(node) >= deployed.gpus for node in nodes if _product(node) in deployed.products):
        return
    asked = f"{deployed.gpus} x {deployed.plan.hardware.name} ({PRODUCT} {' or '.join(deployed.products)})"
    raise ExecutionFailed(
        f"no node has {asked}; its nodes with GPUs: {_listed(nodes)}",
        where=api.address,
        fix="plan for what the cluster has (quantplan plan MODEL --on COUNTxGPU), or add such a node;"
        " a pool that grows from nothing is named with --node-selector KEY=VALUE",
    )


def _product(node: Document) -> str:
    return str(node["metadata"].get("labels", {}).get(PRODUCT, ""))


def _gpus(node: Document) -> int:
    return int(node.get("status", {}).get("allocatable", {}).get(GPU, 0))


def _listed(nodes: Iterable[Document]) -> str:
    kinds = Counter(f"{_gpus(node)} x {_product(node) or 'no label'}" for node in nodes if _gpus(node))
    return "; ".join(f"{count} with {kind}" for kind, count in kinds.most_common()) or "none"
