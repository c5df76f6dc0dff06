"""An API server of equal standing: server-side apply, get, delete, pods and logs, and the refusals of a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from fake_http import Answer, answering

LACKS = "the server could not find the requested resource"


@dataclass
class FakeKubernetes:
    """Objects by path. `on_job` sets the status of a Job when it is applied; `pods` and `logs` are what it left."""

    groups: set[str] = field(default_factory=lambda: {"v1", "batch/v1", "apps/v1", "policy/v1", "autoscaling/v2"})
    on_job: Callable[[dict[str, Any]], dict[str, Any]] = lambda job: {}
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: list[dict[str, Any]] = field(default_factory=list)
    log: str = ""
    forbidden: str | None = None
    out_of_order: int | None = None
    applied: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    address: str = ""

    def answer(self, method: str, path: str, content_type: str, body: dict[str, Any]) -> Answer:
        if self.out_of_order:
            return self.out_of_order, status(self.out_of_order, "etcdserver: request timed out")
        if self.forbidden:
            return 403, status(403, self.forbidden)
        group = path.removeprefix("/apis/").removeprefix("/api/").partition("/namespaces/")[0]
        if group not in self.groups:
            return 404, status(404, LACKS)
        if path.endswith("/log"):
            return 200, self.log
        if path.endswith("/pods"):
            return 200, {"kind": "PodList", "items": self.pods}
        if method == "PATCH":
            return self.apply(path, content_type, body)
        if path not in self.objects:
            return 404, status(404, f'"{path.rpartition("/")[2]}" not found')
        if method == "DELETE":
            self.deleted.append(path)
            del self.objects[path]
            return 200, status(200, "deleted")
        return 200, self.objects[path]

    def apply(self, path: str, content_type: str, body: dict[str, Any]) -> Answer:
        if content_type != "application/apply-patch+yaml":
            return 415, status(415, f"not an apply patch: {content_type}")
        if body["metadata"]["name"] != path.rpartition("/")[2]:
            return 400, status(400, "the name of the object does not match the name on the URL")
        self.applied.append(body["kind"])
        self.objects[path] = {**body, "status": self.on_job(body) if body["kind"] == "Job" else {}}
        return 200, self.objects[path]


def status(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "code": code, "message": message}


@contextmanager
def fake_kubernetes(cluster: FakeKubernetes) -> Iterator[FakeKubernetes]:
    """The API server answering on a port of its own for the block."""

    def answer(method: str, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> Answer:
        return cluster.answer(method, urlsplit(path).path, headers.get("Content-Type", ""), body)

    with answering(answer) as cluster.address:
        yield cluster
