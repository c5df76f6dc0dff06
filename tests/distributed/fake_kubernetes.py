"""An API server of equal standing: discovery, server-side apply, get, list, delete, logs, a real one's refusals.

What a controller, a scheduler and a kubelet would do is what the test says: `on_apply` sets an object's status when it
is applied; `pods`, `nodes`, `events` and `logs` are what they would have left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fake_http import Answer, answering

Document = dict[str, Any]
LACKS = "the server could not find the requested resource"
KINDS = ("Pod", "Service", "ConfigMap", "PersistentVolumeClaim", "Namespace", "Node", "Event")
CORE = {kind: f"{kind.lower()}s" for kind in KINDS}
GROUPS = {
    "v1": CORE,
    "batch/v1": {"Job": "jobs"},
    "apps/v1": {"Deployment": "deployments"},
    "storage.k8s.io/v1": {"StorageClass": "storageclasses"},
    "policy/v1": {"PodDisruptionBudget": "poddisruptionbudgets"},
    "autoscaling/v2": {"HorizontalPodAutoscaler": "horizontalpodautoscalers"},
}
VERBS = {"PATCH": "patch", "GET": "get", "DELETE": "delete"}


def nothing(document: Document) -> Document:
    return {}


@dataclass
class FakeKubernetes:
    """Objects by path. `forbidden`: what the user may not do, as `verb resource`; `quota`: refuses what is applied.

    `lingers`: how often what was deleted is still found; until then what is applied to it goes with it.
    """

    groups: dict[str, dict[str, str]] = field(default_factory=lambda: dict(GROUPS))
    namespaces: set[str] = field(default_factory=lambda: {"default"})
    storage_classes: set[str] = field(default_factory=lambda: {"standard", "efs"})
    on_apply: Callable[[Document], Document] = nothing
    objects: dict[str, Document] = field(default_factory=dict)
    nodes: list[Document] = field(default_factory=list)
    pods: list[Document] = field(default_factory=list)
    events: list[Document] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    forbidden: set[str] = field(default_factory=set)
    quota: str | None = None
    out_of_order: int | None = None
    lingers: int = 0
    requests: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    address: str = ""

    def answer(self, method: str, path: str, query: Mapping[str, list[str]], kind: str, body: Document) -> Answer:
        self.requests.append(f"{method} {path}")
        if self.out_of_order:
            return self.out_of_order, status(self.out_of_order, "etcdserver: request timed out")
        if path in ("/version", "/api", "/apis"):
            return 200, self.discovery(path)
        version, namespace, plural, name, sub = parsed(path)
        if version not in self.groups or (plural and plural not in self.groups[version].values()):
            return 404, status(404, LACKS)
        if not plural:
            return 200, resources(version, self.groups[version])
        verb = VERBS[method] if name or method != "GET" else "list"
        if f"{verb} {plural}" in self.forbidden:
            return 403, status(403, forbids(verb, plural, version, namespace))
        if sub == "log":
            return 200, self.logs.get(name, self.log)
        if not name:
            return 200, {"kind": "List", "apiVersion": "v1", "items": self.listed(plural, namespace, query)}
        if plural in (named := self.named()):
            found = name in named[plural]
            return (200, {"kind": "Any", "metadata": {"name": name}}) if found else absent(plural, name)
        if method == "PATCH":
            return self.apply(path, namespace, kind, body)
        if path not in self.objects:
            return absent(plural, name)
        if method == "DELETE":
            self.deleted.append(self.objects[path]["kind"])
            self.objects[path]["metadata"]["deletionTimestamp"] = "2026-11-21T10:00:00Z"
            self.end(path, self.lingers)
            return 200, status(200, "deleted", "Success")
        found = self.objects[path]
        if "deletionTimestamp" in found["metadata"]:
            self.end(path, found["metadata"]["left"] - 1)
        return 200, found

    def end(self, path: str, left: int) -> None:
        """An object that was deleted is there until it was asked for so often."""
        self.objects[path]["metadata"]["left"] = left
        if left <= 0:
            del self.objects[path]

    def apply(self, path: str, namespace: str, kind: str, body: Document) -> Answer:
        if kind != "application/apply-patch+yaml":
            return 415, status(415, f"not an apply patch: {kind}")
        if body["metadata"]["name"] != path.rpartition("/")[2]:
            return 400, status(400, "the name of the object does not match the name on the URL")
        if namespace not in self.namespaces:
            return absent("namespaces", namespace)
        if self.quota:
            told = f'{body["kind"].lower()}s "{body["metadata"]["name"]}" is forbidden: exceeded quota: {self.quota}'
            return 403, status(403, told)
        if "deletionTimestamp" in self.objects.get(path, {}).get("metadata", {}):
            return 200, self.objects[path]
        is_new = path not in self.objects
        self.applied.append(body["kind"])
        metadata = {"uid": f"uid-{len(self.applied)}", "resourceVersion": str(len(self.applied)), **body["metadata"]}
        self.objects[path] = {**body, "metadata": metadata, "status": self.on_apply(body)}
        return 201 if is_new else 200, self.objects[path]

    def listed(self, plural: str, namespace: str, query: Mapping[str, list[str]]) -> list[Document]:
        wanted = dict(part.split("=", 1) for part in query.get("labelSelector", [""])[0].split(",") if part)
        left = {"pods": self.pods, "nodes": self.nodes, "events": self.events}.get(plural)
        if plural in (named := self.named()):
            return [{"metadata": {"name": name}} for name in sorted(named[plural])]
        if left is None:
            inside = f"/namespaces/{namespace}/{plural}/"
            return [found for path, found in self.objects.items() if inside in path]
        return [one for one in left if has_labels(one, wanted)]

    def named(self) -> dict[str, set[str]]:
        """What lies in no namespace and is only a name here."""
        return {"namespaces": self.namespaces, "storageclasses": self.storage_classes}

    def discovery(self, path: str) -> Document:
        if path == "/version":
            return {"major": "1", "minor": "37", "gitVersion": "v1.37.0"}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        versions = [version for version in self.groups if "/" in version]
        named = [{"groupVersion": version, "version": version.partition("/")[2]} for version in versions]
        groups = [{"name": v["groupVersion"].partition("/")[0], "versions": [v], "preferredVersion": v} for v in named]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def parsed(path: str) -> tuple[str, str, str, str, str]:
    """Version, namespace, plural, name and subresource of a path of the API."""
    kind, *parts = path.strip("/").split("/")
    version, rest = (parts[0], parts[1:]) if kind == "api" else ("/".join(parts[:2]), parts[2:])
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    plural, name, sub = (*rest, "", "", "")[:3]
    return version, namespace, plural, name, sub


def resources(version: str, kinds: Mapping[str, str]) -> Document:
    alone = ("Namespace", "Node", "StorageClass")
    listed = [
        {"name": plural, "singularName": kind.lower(), "kind": kind, "namespaced": kind not in alone,
         "verbs": ["get", "list", "patch", "delete", "create", "update", "watch"]}
        for kind, plural in kinds.items()
    ]  # fmt: skip
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed}


def has_labels(found: Document, wanted: Mapping[str, str]) -> bool:
    """One that a test gave no labels is everybody's."""
    labels = found["metadata"].get("labels")
    return labels is None or all(labels.get(key) == value for key, value in wanted.items())


def forbids(verb: str, plural: str, version: str, namespace: str) -> str:
    group = version.rpartition("/")[0]
    resource = f"{plural}.{group}" if group else plural
    where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    return f'{resource} is forbidden: User "dev" cannot {verb} resource "{plural}" in API group "{group}"{where}'


def absent(plural: str, name: str) -> Answer:
    return 404, status(404, f'{plural} "{name}" not found')


def status(code: int, message: str, outcome: str = "Failure") -> Document:
    return {"kind": "Status", "apiVersion": "v1", "status": outcome, "code": code, "message": message}


@contextmanager
def fake_kubernetes(cluster: FakeKubernetes) -> Iterator[FakeKubernetes]:
    """The API server answering on a port of its own for the block."""

    def answer(method: str, path: str, headers: Mapping[str, str], body: Document) -> Answer:
        parts = urlsplit(path)
        return cluster.answer(method, parts.path, parse_qs(parts.query), headers.get("Content-Type", ""), body)

    with answering(answer) as cluster.address:
        yield cluster
