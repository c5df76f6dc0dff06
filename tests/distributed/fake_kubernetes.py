"""An API server of equal standing: server-side apply, get, delete, pods and logs, and the refusals of a real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Answer = tuple[int, Any]
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

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            code, content = cluster.answer(
                self.command, urlsplit(self.path).path, self.headers.get("Content-Type", ""), body
            )
            payload = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_PATCH = do_DELETE = handle_any

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    cluster.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
