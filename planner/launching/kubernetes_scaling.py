"""A deployed server's autoscaling: by the requests that wait in its engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from planner.launching.kubernetes_deployed import Deployed


@dataclass(frozen=True)
class Scaling:
    """What is scaled, by which metric, between which numbers of copies."""

    deployed: Deployed

    @property
    def chosen(self) -> dict[str, Any]:
        """The choices of `planner/catalog/kubernetes.yaml`."""
        found: dict[str, Any] = self.deployed.facts["autoscaling"]
        return found

    @property
    def waiting_metric(self) -> str | None:
        """The engine's own count of requests that wait; None where it publishes none."""
        found = self.deployed.facts["waiting_metrics"].get(self.deployed.plan.chosen.engine)
        return str(found["name"]) if found else None

    @property
    def adapted_metric(self) -> str:
        return (self.waiting_metric or "").replace(":", "_")

    @property
    def waiting_query(self) -> str:
        where = f'namespace="{self.deployed.site.namespace}",pod=~"{self.deployed.name}-.*"'
        return f"sum({self.waiting_metric}{{{where}}})"

    @property
    def most_copies(self) -> int:
        return int(self.deployed.plan.chosen.replicas * self.chosen["most_copies_factor"])

    @property
    def target(self) -> dict[str, str]:
        """What is scaled."""
        name = self.deployed.name
        if self.deployed.plan.chosen.nodes > 1:
            return {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "name": name}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
