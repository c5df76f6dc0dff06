"""Servers kept on Kubernetes: held by their Deployment or LeaderWorkerSet, until `quantplan stop` removes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from executor.deployments.deployment import Deployment, Holding
from executor.deployments.elsewhere import Standing
from executor.distributed.jobs import Unreachable
from executor.distributed.kubernetes.api import KubeApi
from executor.distributed.kubernetes.refusals import Document
from planner.errors import ExecutionFailed
from planner.plan import Plan

HOLDER = "kubernetes"
Connect = Callable[[str | None, str | None], KubeApi]


def holding_of(api: KubeApi, documents: Iterable[Document]) -> Holding:
    """Its documents by version, kind and name, each with the kubeconfig's context; `node`: their namespace."""
    listed = list(documents)
    named = {f"{d['apiVersion']} {d['kind']} {d['metadata']['name']}": api.context or "" for d in listed}
    return Holding(HOLDER, api.address, listed[0]["metadata"]["namespace"], named)


def held_by(holding: Holding) -> list[Document]:
    """The documents as far as they are named."""
    parts = [key.split(" ") for key in holding.jobs]
    return [
        {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": holding.node}}
        for version, kind, name in parts
    ]


class KubernetesHolder:
    """Implements `executor.deployments.elsewhere.Holder`: the API server is asked."""

    def __init__(self, connect: Connect = KubeApi) -> None:
        self._connect = connect

    def standing(self, deployment: Deployment) -> Standing:
        """Running while its workload is there; how many copies are ready is told beside that."""
        try:
            found = self._api(deployment).get(held_by(holding_in(deployment))[0])
        except (Unreachable, ExecutionFailed) as silence:
            return Standing("running", f"the cluster does not tell: {str(silence).splitlines()[0]}")
        if found is None:
            return Standing("ended", "it was deleted on the cluster")
        ready, wanted = found.get("status", {}).get("readyReplicas", 0), found["spec"].get("replicas", 1)
        return Standing("running", "" if ready >= wanted else f"{ready} of {wanted} copies are ready")

    def stop(self, deployment: Deployment) -> Standing:
        """Delete all of it. ExecutionFailed where the cluster refuses, or does not answer: then it runs on."""
        api = self._api(deployment)
        try:
            for document in held_by(holding_in(deployment)):
                api.delete(document)
        except Unreachable as silence:
            raise ExecutionFailed(
                f"the cluster does not answer, and the server may still run ({silence})",
                where=api.address,
                fix=f"try again: quantplan stop {deployment.deployment_id}",
            ) from None
        return Standing("stopped")

    def start(self, deployment: Deployment, plan: Plan, write_down: Callable[[Deployment], None]) -> Deployment:
        """ExecutionFailed: a Deployment is changed by applying another plan, which Kubernetes rolls out."""
        raise ExecutionFailed(
            "a server on Kubernetes is not started again from here",
            where=f"deployment {deployment.deployment_id}",
            fix="quantplan apply PLAN --on kubernetes --keep; kubectl rollout undo returns to what ran before",
        )

    def _api(self, deployment: Deployment) -> KubeApi:
        holding = holding_in(deployment)
        return self._connect(holding.cluster, next(iter(holding.jobs.values())) or None)


def holding_in(deployment: Deployment) -> Holding:
    assert deployment.holding is not None
    return deployment.holding
