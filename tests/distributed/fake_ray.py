"""A Ray head of equal standing: its REST interface, with jobs that end as a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fake_http import Answer, answering

GIB = 2**30
L4_NODE = {"CPU": 8.0, "GPU": 1.0, "memory": 32.0 * GIB, "accelerator_type:L4": 1.0, "node:10.0.0.5": 1.0}


@dataclass
class FakeRay:
    """What the head knows. `on_submit` sees each request and returns the job's record as Ray would tell it."""

    version: dict[str, str] = field(default_factory=lambda: {"version": "4", "ray_version": "2.60.0"})
    nodes: list[dict[str, Any]] = field(default_factory=lambda: [{"node_ip": "10.0.0.5", "resources_total": L4_NODE}])
    on_submit: Callable[[dict[str, Any]], dict[str, Any]] = lambda request: {"status": "PENDING"}
    submitted: list[dict[str, Any]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    out_of_order: int | None = None
    address: str = ""

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        if self.out_of_order:
            return self.out_of_order, "upstream"
        if path == "/api/version":
            return 200, self.version
        if path.startswith("/api/v0/nodes"):
            listed = [{"state": "ALIVE", **node} for node in self.nodes]
            return 200, {"result": True, "data": {"result": {"result": listed}}}
        if method == "POST" and path == "/api/jobs/":
            return self.submit(body)
        job_id, _, verb = path.removeprefix("/api/jobs/").partition("/")
        if job_id not in self.jobs:
            return 404, f"Job {job_id} does not exist"
        if verb == "stop":
            self.stopped.append(job_id)
            return 200, {"stopped": True}
        return 200, {"logs": self.jobs[job_id].get("logs", "")} if verb == "logs" else self.jobs[job_id]

    def submit(self, request: dict[str, Any]) -> Answer:
        job_id = request["submission_id"]
        if job_id in self.jobs:
            return 500, f"Traceback ...\nValueError: Job with submission_id {job_id} already exists."
        if request["entrypoint_num_cpus"] < 0:
            return 500, "Traceback ...\nValueError: resource quantities must be non-negative"
        self.submitted.append(request)
        self.jobs[job_id] = self.on_submit(request)
        return 200, {"submission_id": job_id}


@contextmanager
def fake_ray(head: FakeRay) -> Iterator[FakeRay]:
    """The head answering on a port of its own for the block."""
    with answering(lambda method, path, headers, body: head.answer(method, path, body)) as head.address:
        yield head
