"""A cluster of one node on this machine: the fake API server, and what is applied to it really runs, as processes.

Containers become their commands with the paths of their mounts replaced; a claim is a directory, a Service a port.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from fake_kubernetes import Answer, Document, FakeKubernetes

from executor.engines.ports import free_port

QUANTPLAN = str(Path(sys.executable).with_name("quantplan"))


@dataclass
class Pod:
    """One pod: its processes one after the other, its log, and what it says of itself."""

    name: str
    labels: dict[str, str]
    spec: Document
    directory: Path
    port: int
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @property
    def phase(self) -> str:
        status = self.started[-1].poll()
        return "Running" if status is None else ("Succeeded" if status == 0 else "Failed")

    def document(self) -> Document:
        ready = {"type": "Ready", "status": str(self.phase == "Running" and self.answers()),
                 "lastTransitionTime": "2026-11-21T10:00:05Z"}  # fmt: skip
        running = {"state": {"running": {"startedAt": "2026-11-21T10:00:00Z"}}}
        status = {"phase": self.phase, "conditions": [ready], "containerStatuses": [running]}
        return {"metadata": {"name": self.name, "labels": self.labels}, "spec": {"nodeName": "here"}, "status": status}

    def answers(self) -> bool:
        with suppress(OSError), urlopen(f"http://127.0.0.1:{self.port}/health", timeout=1) as answer:
            return bool(answer.status == 200)
        return False


@dataclass
class Kubelet(FakeKubernetes):
    """`programs`: what a container's program is on this machine; `environment`: of every container, before its own."""

    directory: Path = Path()
    programs: dict[str, list[str]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    running: dict[str, Pod] = field(default_factory=dict)

    def answer(self, method: str, path: str, query: Mapping[str, list[str]], kind: str, body: Document) -> Answer:
        self.pods = [pod.document() for pod in self.running.values()]
        self.logs = {pod.name: pod.log.read_text(errors="replace") for pod in self.running.values()}
        found = self.objects.get(path)
        if found is not None and found["kind"] == "Job":
            ended = {"Succeeded": "Complete", "Failed": "Failed"}.get(self.running[path].phase)
            found["status"] = {"conditions": [{"type": ended, "status": "True"}]} if ended else {}
        if method == "DELETE" and path in self.running:
            self.stop(path)
        answer = super().answer(method, path, query, kind, body)
        if method == "PATCH" and answer[0] < 300 and body["kind"] in ("Job", "Deployment"):
            self.start(path, body)
        return answer

    def start(self, path: str, workload: Document) -> None:
        template, name = workload["spec"]["template"], workload["metadata"]["name"]
        labels = {**template["metadata"]["labels"], "job-name": name}
        directory = self.directory / f"pod-{len(self.applied)}"
        directory.mkdir()
        pod = self.running[path] = Pod(f"{name}-1", labels, template["spec"], directory, free_port())
        for container in pod.spec.get("initContainers", []):
            process = self.run(pod, container)
            assert process.wait(120) == 0, pod.log.read_text()
        self.run(pod, pod.spec["containers"][0])

    def run(self, pod: Pod, container: Document) -> subprocess.Popen[bytes]:
        places = {mount["mountPath"]: self.place(pod, mount) for mount in container["volumeMounts"]} if (
            "volumeMounts" in container
        ) else {}  # fmt: skip
        words = [self.here(word, places, pod) for word in (*container["command"], *container.get("args", []))]
        environment = {e["name"]: self.here(e["value"], places, pod) for e in container.get("env", []) if "value" in e}
        with pod.log.open("ab") as log:
            process = subprocess.Popen(
                [*self.programs.get(words[0], [words[0]]), *words[1:]],
                env={**os.environ, **environment, **self.environment}, stdout=log, stderr=log,
            )  # fmt: skip
        pod.started.append(process)
        return process

    def place(self, pod: Pod, mount: Mapping[str, Any]) -> Path:
        """Where a mount lies on this machine."""
        volume = next(v for v in pod.spec["volumes"] if v["name"] == mount["name"])
        if "configMap" in volume:
            return self.files_of(volume["configMap"]["name"], pod)
        root = self.directory / "claim" if "persistentVolumeClaim" in volume else pod.directory / volume["name"]
        root.mkdir(exist_ok=True)
        return root / mount.get("subPath", "")

    def files_of(self, name: str, pod: Pod) -> Path:
        (content,) = [
            d["data"] for d in self.objects.values() if d["kind"] == "ConfigMap" and d["metadata"]["name"] == name
        ]
        directory = pod.directory / name
        directory.mkdir(exist_ok=True)
        for file, text in content.items():
            (directory / file).write_text(text)
        return directory

    def here(self, word: str, places: Mapping[str, Path], pod: Pod) -> str:
        """A word of a command with the paths and addresses of this machine."""
        if word.endswith(".svc"):
            (server,) = [p for p in self.running.values() if p.labels.get("app.kubernetes.io/component") == "server"]
            return f"http://127.0.0.1:{server.port}"
        inside = [path for path in places if word == path or word.startswith(f"{path}/")]
        if inside:
            path = max(inside, key=len)
            return f"{places[path]}{word.removeprefix(path)}"
        return str(pod.port) if word == "8000" else word

    def stop(self, path: str) -> None:
        for process in self.running.pop(path).started:
            process.terminate()
            process.wait(30)

    def stop_all(self, paths: Iterable[str] | None = None) -> None:
        for path in list(self.running if paths is None else paths):
            self.stop(path)
