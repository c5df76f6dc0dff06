"""The plan's server on the cluster: applied, waited for as long as the plan predicts, put under load, removed."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from executor.distributed.kubernetes.job import JobWatch, Patiently, tail_of
from executor.distributed.kubernetes.manifests import loading, serving, url_of
from executor.distributed.kubernetes.pods import conditions, held_up, is_ready, require_hope
from executor.distributed.kubernetes.refusals import OVER_QUOTA, Document, over_quota
from executor.engines import engine_of
from executor.step import Result
from executor.steps.launch import memory_summary
from planner.errors import ExecutionFailed
from planner.launching.kubernetes_deployed import Deployed

CRASHING = "CrashLoopBackOff"


@dataclass(slots=True)
class Served:
    """One server of a plan, its documents, and how to wait for it."""

    patiently: Patiently
    deployed: Deployed
    documents: list[Document] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.documents = serving(self.deployed)

    @property
    def workload(self) -> Document:
        return self.documents[0]

    @property
    def wanted(self) -> int:
        """Pods of all copies."""
        chosen = self.deployed.plan.chosen
        return int(chosen.replicas * chosen.nodes)

    def up(self) -> Result:
        """Apply it and wait until it is ready: what step `launch` returns, as far as a cluster tells it.

        ExecutionFailed when it is refused, cannot be placed or start, or takes longer than the plan allows a start.
        """
        for document in self.documents:
            self.patiently.ask(lambda: self.patiently.api.apply(document))  # noqa: B023
        first = self.until_ready()[0]
        log, engine = self.log_of(first), engine_of(self.deployed.plan)
        return {
            "url": url_of(self.deployed),
            "port": self.deployed.launching.port,
            "pid": 0,
            "model_name": self.deployed.plan.model.name,
            "command": self.deployed.command,
            "log_path": "",
            "ready_s": start_s(first),
            "memory": memory_summary(engine.buffers(log), engine.kv_tokens(log)),
            "metrics": None,
            "ran_on": {"node": first["spec"].get("nodeName", ""), "address": self.patiently.api.address},
        }

    def until_ready(self) -> list[Document]:
        """The pods, once all are ready."""
        pending_since, running_since = time.monotonic(), 0.0
        while True:
            pods = self.pods()
            if len(pods) >= self.wanted and all(is_ready(pod) for pod in pods):
                return pods
            for pod in pods:
                self.require_no_crash(pod)
                require_hope(pod, self.patiently.where(self.workload), self.patiently.resume)
            pending = [pod for pod in pods if pod.get("status", {}).get("phase", "Pending") == "Pending"]
            if pods and not pending:
                running_since = running_since or time.monotonic()
                self.patiently.say("the server starts")
                self.require_in_time(time.monotonic() - running_since, pods)
            else:
                why = held_up(pending[0]) if pending else self.not_made()
                self.patiently.say(f"waiting: {why}")
                self.patiently.require_placed(time.monotonic() - pending_since, why, self.workload)
            time.sleep(self.patiently.patience.poll_s)

    def require_in_time(self, waited_s: float, pods: list[Document]) -> None:
        allowed_s = self.deployed.ready_within_s
        if waited_s > allowed_s:
            late = next(pod for pod in pods if not is_ready(pod))
            raise ExecutionFailed(
                f"the server was not ready within {allowed_s} s, the most that the plan predicts for a start"
                f"{tail_of(self.log_of(late))}",
                where=self.patiently.where(self.workload),
                fix=f"read the log of pod {late['metadata']['name']}; then go on: {self.patiently.resume}",
            )

    def require_no_crash(self, pod: Document) -> None:
        if held_up(pod).startswith(CRASHING):
            name, namespace = pod["metadata"]["name"], self.deployed.site.namespace
            log = self.patiently.ask(lambda: self.patiently.api.log(namespace, name, previous=True))
            raise ExecutionFailed(
                f"the server ends again and again{tail_of(log)}",
                where=self.patiently.where(self.workload),
                fix=f"mend what the log says, or plan for less memory; then go on: {self.patiently.resume}",
            )

    def not_made(self) -> str:
        """Why there is no pod. ExecutionFailed when the namespace's quota does not allow one."""
        found = self.patiently.ask(lambda: self.patiently.api.get(self.workload)) or {}
        told = [str(c.get("message")) for c in conditions(found) if c["type"] == "ReplicaFailure"]
        if told and OVER_QUOTA in told[0]:
            raise over_quota(told[0], self.deployed.site.namespace, self.patiently.where(self.workload))
        return told[0] if told else "its pod is being made"

    def loaded(self) -> Result:
        """Put the planned load on it by a Job of the cluster: step `load-test`, as a client in there sees it.

        ExecutionFailed when the Job fails.
        """
        job = loading(self.deployed)
        self.patiently.remove(job)
        self.patiently.ask(lambda: self.patiently.api.apply(job))
        try:
            log = JobWatch(self.patiently, job).until_it_ends()
        finally:
            self.patiently.ask(lambda: self.patiently.api.delete(job))
        return measured_in(log, self.patiently.where(job), self.patiently.resume)

    def remove(self) -> None:
        """Delete all of it again."""
        for document in self.documents:
            self.patiently.ask(lambda: self.patiently.api.delete(document))  # noqa: B023

    def pods(self) -> list[Document]:
        namespace, labels = self.deployed.site.namespace, self.deployed.labels
        found = self.patiently.ask(lambda: self.patiently.api.pods(namespace, labels))
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def log_of(self, pod: Document) -> str:
        return self.patiently.ask(lambda: self.patiently.api.log(self.deployed.site.namespace, pod["metadata"]["name"]))


def start_s(pod: Document) -> float | None:
    """From its server's start to its readiness, both by the cluster's clock; None where it does not tell."""
    started = [
        c.get("state", {}).get("running", {}).get("startedAt") for c in pod["status"].get("containerStatuses", ())
    ]
    ready = [c.get("lastTransitionTime") for c in conditions(pod) if c["type"] == "Ready"]
    if not started or not started[0] or not ready or not ready[0]:
        return None
    return (datetime.fromisoformat(ready[0]) - datetime.fromisoformat(started[0])).total_seconds()


def measured_in(log: str, where: str, resume: str) -> dict[str, Any]:
    """What `quantplan bench --json` printed last. ExecutionFailed where it did not."""
    for line in reversed(log.splitlines()):
        if line.startswith("{"):
            try:
                measured: dict[str, Any] = json.loads(line)
                return measured
            except ValueError:
                break
    raise ExecutionFailed(
        f"the load Job ended well, but its log has no measurement{tail_of(log)}",
        where=where,
        fix=f"try again: {resume}",
    )
