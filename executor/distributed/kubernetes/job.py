"""A Job of the cluster, waited for: what holds it up is told, what no waiting mends ends it; silence has an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from executor.distributed.jobs import Unreachable
from executor.distributed.kubernetes.api import KubeApi, Patience
from executor.distributed.kubernetes.pods import conditions, held_up, require_hope
from executor.distributed.kubernetes.refusals import OVER_QUOTA, Document, Forbidden, name_of, over_quota
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
    said: str = ""

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

    def remove(self, document: Document) -> None:
        """Delete it and wait until it is gone: one that still goes would take along what is applied in its place.

        ExecutionFailed when something holds it for `silent_s`.
        """
        self.ask(lambda: self.api.delete(document))
        since = time.monotonic()
        while self.ask(lambda: self.api.get(document)) is not None:
            if time.monotonic() - since > self.patience.silent_s:
                raise ExecutionFailed(
                    f"it was deleted {self.patience.silent_s:.0f} s ago and is still there",
                    where=self.where(document),
                    fix=f"see what holds it (metadata.finalizers); then go on: {self.resume}",
                )
            time.sleep(self.patience.poll_s)

    def say(self, what: str) -> None:
        """Tell it, unless it was said just now."""
        if what != self.said:
            self.said = what
            self.tell(what)

    def where(self, document: Document) -> str:
        return f"{self.api.address}, {name_of(document)}"

    def require_placed(self, waited_s: float, why: str, document: Document) -> None:
        """ExecutionFailed when a pod has waited for a node for too long."""
        if waited_s > self.patience.pending_s:
            raise ExecutionFailed(
                f"no node took the {document['kind']} for {waited_s:.0f} s: {why}",
                where=self.where(document),
                fix="add a node that has what it asks for (kubectl describe pod), or plan for what the cluster has;"
                f" then go on: {self.resume}",
            )


@dataclass(slots=True)
class JobWatch:
    """One Job, until it has succeeded or failed."""

    patiently: Patiently
    job: Document
    pending_since: float = field(default_factory=time.monotonic)

    def until_it_ends(self) -> str:
        """The log of its last pod. ExecutionFailed when it failed, cannot start, or waited for a node for too long."""
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
        if pods and pods[-1].get("status", {}).get("phase", "Pending") != "Pending":
            self.pending_since = time.monotonic()
            self.patiently.say(f"the Job runs ({pods[-1]['metadata']['name']})")
            return
        if pods:
            require_hope(pods[-1], self.patiently.where(self.job), self.patiently.resume)
        why = held_up(pods[-1]) if pods else self.not_made()
        self.patiently.say(f"waiting: {why}")
        self.patiently.require_placed(time.monotonic() - self.pending_since, why, self.job)

    def not_made(self) -> str:
        """Why there is no pod. ExecutionFailed when the namespace's quota does not allow one."""
        try:
            events = self.patiently.ask(lambda: self.patiently.api.events(self.job))
        except Forbidden:
            return "its pod is being made"
        told = [str(event.get("message")) for event in events if event.get("reason") == "FailedCreate"]
        for message in told:
            if OVER_QUOTA in message:
                raise over_quota(message, self.job["metadata"]["namespace"], self.patiently.where(self.job))
        return told[-1] if told else "its pod is being made"

    def pods(self) -> list[Document]:
        namespace, name = self.job["metadata"]["namespace"], self.job["metadata"]["name"]
        return self.patiently.ask(lambda: self.patiently.api.pods(namespace, {"job-name": name}))

    def log(self) -> str:
        pods, namespace = self.pods(), self.job["metadata"]["namespace"]
        if not pods:
            return ""
        return self.patiently.ask(lambda: self.patiently.api.log(namespace, pods[-1]["metadata"]["name"]))

    def failed(self, why: str, log: str) -> ExecutionFailed:
        return ExecutionFailed(
            f"the Job failed: {why}{tail_of(log)}",
            where=self.patiently.where(self.job),
            fix=f"mend what the log says, then go on: {self.patiently.resume} (finished steps are not repeated)",
        )


def tail_of(log: str) -> str:
    """The last lines of a log as part of a message; empty where there are none."""
    tail = "\n".join(f"  {line}" for line in log.strip().splitlines()[-TAIL_LINES:])
    return f"\nThe last lines of its log:\n{tail}" if tail else ""


def ended(job: Document) -> str | None:
    """ "Complete" or "Failed" once it is; None before."""
    return next(
        (c["type"] for c in conditions(job) if c["type"] in ("Complete", "Failed") and c["status"] == "True"), None
    )


def reason_of(job: Document) -> str:
    return next(
        (str(c.get("message") or c.get("reason")) for c in conditions(job) if c["type"] == "Failed"), "no reason"
    )
