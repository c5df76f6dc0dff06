"""A Job of the cluster, waited for: what holds it up is told, and every silence has an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from executor.distributed.jobs import Unreachable
from executor.distributed.kubernetes.api import Document, KubeApi, Patience, name_of
from planner.errors import ExecutionFailed

Tell = Callable[[str], None]
Answer = TypeVar("Answer")
TAIL_LINES = 15


@dataclass(slots=True)
class Patiently:
    """The API asked again while it is silent."""

    api: KubeApi
    patience: Patience
    tell: Tell
    resume: str

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Its answer. ExecutionFailed after `silent_s`."""
        since, told = time.monotonic(), False
        while True:
            try:
                return question()
            except Unreachable as silence:
                if time.monotonic() - since > self.patience.silent_s:
                    raise ExecutionFailed(
                        f"the cluster has not answered for {self.patience.silent_s:.0f} s ({silence})",
                        where=self.api.address,
                        fix=f"bring it or the network back, then go on: {self.resume}",
                    ) from None
                if not told:
                    self.tell(f"{self.api.address} does not answer; the run waits for it")
                told = True
                time.sleep(self.patience.poll_s)


@dataclass(slots=True)
class JobWatch:
    """One Job, until it has succeeded or failed."""

    patiently: Patiently
    job: Document
    pending_since: float = field(default_factory=time.monotonic)
    said: str = ""

    def until_it_ends(self) -> str:
        """The log of its last pod. ExecutionFailed when it failed, or no node could take it for too long."""
        while True:
            found = self.patiently.ask(lambda: self.patiently.api.get(self.job))
            if found is None:
                raise self.failed("it was deleted", "")
            state = ended(found)
            if state == "Complete":
                return self.log()
            if state is not None:
                raise self.failed(reason_of(found), self.log())
            self.look_at_pods()
            time.sleep(self.patiently.patience.poll_s)

    def look_at_pods(self) -> None:
        pods = self.pods()
        phase = pods[-1].get("status", {}).get("phase", "Pending") if pods else "Pending"
        if phase != "Pending":
            self.pending_since = time.monotonic()
            self.tell(f"the Job runs ({pods[-1]['metadata']['name']})")
            return
        why = held_up(pods[-1]) if pods else "its pod is being made"
        self.tell(f"waiting: {why}")
        waited_s = time.monotonic() - self.pending_since
        if waited_s > self.patiently.patience.pending_s:
            raise ExecutionFailed(
                f"no node took the Job for {waited_s:.0f} s: {why}",
                where=f"{self.patiently.api.address}, {name_of(self.job)}",
                fix="add a node that has what it asks for (kubectl describe pod), or plan for what the cluster has",
            )

    def pods(self) -> list[Document]:
        namespace, name = self.job["metadata"]["namespace"], self.job["metadata"]["name"]
        return self.patiently.ask(lambda: self.patiently.api.pods(namespace, {"job-name": name}))

    def log(self) -> str:
        pods, namespace = self.pods(), self.job["metadata"]["namespace"]
        if not pods:
            return ""
        return self.patiently.ask(lambda: self.patiently.api.log(namespace, pods[-1]["metadata"]["name"]))

    def tell(self, said: str) -> None:
        if said != self.said:
            self.said = said
            self.patiently.tell(said)

    def failed(self, why: str, log: str) -> ExecutionFailed:
        tail = "\n".join(f"  {line}" for line in log.strip().splitlines()[-TAIL_LINES:])
        said = f"\nThe last lines of its log:\n{tail}" if tail else ""
        return ExecutionFailed(
            f"the Job failed: {why}{said}",
            where=f"{self.patiently.api.address}, {name_of(self.job)}",
            fix=f"mend what the log says, then go on: {self.patiently.resume} (finished steps are not repeated)",
        )


def ended(job: Document) -> str | None:
    """ "Complete" or "Failed" once it is; None before."""
    return next(
        (c["type"] for c in conditions(job) if c["type"] in ("Complete", "Failed") and c["status"] == "True"), None
    )


def reason_of(job: Document) -> str:
    return next(
        (str(c.get("message") or c.get("reason")) for c in conditions(job) if c["type"] == "Failed"), "no reason"
    )


def conditions(found: Document) -> list[dict[str, Any]]:
    return list(found.get("status", {}).get("conditions") or ())


def held_up(pod: Document) -> str:
    """Why a pod is pending, as the scheduler or the node says it."""
    waiting = [c.get("state", {}).get("waiting") for c in pod.get("status", {}).get("containerStatuses") or ()]
    for state in filter(None, waiting):
        return f"{state.get('reason')}: {state.get('message', '')}".rstrip(": ")
    unscheduled = (c for c in conditions(pod) if c["type"] == "PodScheduled" and c["status"] == "False")
    return next((str(c.get("message")) for c in unscheduled), "no node has taken it yet")
