"""What holds a pod up, as the scheduler and the node say it; what no waiting helps is an error at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from executor.distributed.kubernetes.refusals import Document, table
from planner.errors import ExecutionFailed


def held_up(pod: Document) -> str:
    """Why a pod is pending."""
    for state in _waiting(pod):
        return f"{state.get('reason')}: {state.get('message', '')}".rstrip(": ")
    unscheduled = (c for c in conditions(pod) if c["type"] == "PodScheduled" and c["status"] == "False")
    return next((str(c.get("message")) for c in unscheduled), "no node has taken it yet")


def require_hope(pod: Document, where: str, resume: str) -> None:
    """ExecutionFailed when a container waits for what only a person can mend: its image, its Secret, its start."""
    for state in _waiting(pod):
        if (reason := str(state.get("reason"))) in table()["hopeless"]:
            mend = str(table()["hopeless"][reason]).replace("POD", pod["metadata"]["name"])
            fix = f"{mend}; then go on: {resume}"
            raise ExecutionFailed(f"a pod cannot start: {held_up(pod)}", where=where, fix=fix)


def is_ready(pod: Document) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions(pod))


def conditions(found: Document) -> list[dict[str, Any]]:
    return list(found.get("status", {}).get("conditions") or ())


def _waiting(pod: Document) -> Iterator[dict[str, Any]]:
    """The containers that wait, what is done before the others first."""
    for group in ("initContainerStatuses", "containerStatuses"):
        for container in pod.get("status", {}).get(group) or ():
            if (state := container.get("state", {}).get("waiting")) and state.get("reason") != "PodInitializing":
                yield state
