"""A cluster's API through the official client: documents applied, read and deleted; its errors in our words."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from executor.distributed.jobs import Unreachable
from planner.errors import ExecutionFailed, ExecutorMissing
from planner.request import Frozen

TABLE = Path(__file__).with_name("cluster.yaml")
Document = dict[str, Any]
APPLY = "application/apply-patch+yaml"
MANAGER = "quantplan"
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_MANY = 400, 401, 403, 404, 429
PLURALS = {"PodDisruptionBudget": "poddisruptionbudgets"}


class Patience(Frozen):
    """How long to wait for what, in seconds."""

    request_s: float
    poll_s: float
    silent_s: float
    pending_s: float
    source: str = ""


@lru_cache(maxsize=1)
def table() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return found


class KubeApi:
    """The API server of the current kubeconfig (inside a pod: the pod's own), or at `address` with its credentials."""

    def __init__(self, address: str | None = None, request_s: float | None = None) -> None:
        """ExecutorMissing without the client; ExecutionFailed where neither kubeconfig nor address names a cluster."""
        try:
            from kubernetes import client, config
        except ImportError:
            fix = "pip install 'quantplan[kubernetes]'"
            raise ExecutorMissing("the Kubernetes client is not installed", fix=fix) from None
        settings = client.Configuration()
        try:
            load_credentials(config, settings)
        except (config.ConfigException, OSError) as error:
            if address is None:
                fix = "set KUBECONFIG, or name the API server with --address"
                raise ExecutionFailed(f"no cluster is configured: {error}", fix=fix) from None
        settings.host, settings.retries = address or settings.host, False
        self._client = client.ApiClient(settings)
        self._request_s = request_s or float(table()["patience"]["request_s"])
        self.address = str(settings.host)

    def apply(self, document: Document) -> Document:
        """Server-side apply. ExecutionFailed where the cluster refuses it, or lacks the interface."""
        query = [("fieldManager", MANAGER), ("force", "true")]
        return self._ask("PATCH", path_of(document), query=query, body=document, content_type=APPLY, about=document)

    def get(self, document: Document) -> Document | None:
        """The object as it is there; None when there is none."""
        try:
            return self._ask("GET", path_of(document), about=document)
        except Missing:
            return None

    def delete(self, document: Document) -> None:
        """Delete it with what it owns; nothing when it is gone."""
        try:
            self._ask("DELETE", path_of(document), query=[("propagationPolicy", "Foreground")], about=document)
        except Missing:
            return

    def pods(self, namespace: str, selector: Mapping[str, str]) -> list[Document]:
        """The pods with these labels, the oldest first."""
        labels = ",".join(f"{key}={value}" for key, value in selector.items())
        path = f"/api/v1/namespaces/{namespace}/pods"
        listed = self._ask("GET", path, query=[("labelSelector", labels)], about={"kind": "Pod", "apiVersion": "v1"})
        return sorted(listed.get("items", []), key=lambda pod: pod["metadata"].get("creationTimestamp", ""))

    def log(self, namespace: str, pod: str) -> str:
        """What the pod wrote; empty where it is gone."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        try:
            return str(self._ask("GET", path, about={"kind": "Pod", "apiVersion": "v1"}, as_text=True))
        except Missing:
            return ""

    def _ask(
        self,
        method: str,
        path: str,
        *,
        about: Document,
        query: list[tuple[str, str]] | None = None,
        body: Document | None = None,
        content_type: str = "application/json",
        as_text: bool = False,
    ) -> Any:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "*/*" if as_text else "application/json", "Content-Type": content_type}
        request = self._client.param_serialize(
            method, path, query_params=query, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        try:
            answer = self._client.call_api(*request, _request_timeout=self._request_s)
            status, text = answer.status, answer.read().decode("utf-8", errors="replace")
        except (HTTPError, OSError, ApiException) as error:
            raise Unreachable(f"{type(error).__name__}: {error}".splitlines()[0][:200]) from None
        if status >= BAD_REQUEST:
            raise self._named(status, message_in(text), about)
        return text if as_text else json.loads(text)

    def _named(self, status: int, told: str, about: Document) -> Exception:
        """The API's refusal in our words."""
        where = f"{self.address}, {name_of(about)}"
        if status == NOT_FOUND and "could not find the requested resource" in told:
            version = about["apiVersion"]
            fix = f"install {found}" if (found := table()["install"].get(version)) else "use a cluster that has it"
            return ExecutionFailed(f"the cluster has no {about['kind']} of {version}", where=where, fix=fix)
        if status == NOT_FOUND:
            return Missing(told)
        if status in (UNAUTHORIZED, FORBIDDEN):
            fix = "ask for the right, or use another context: kubectl auth can-i --list"
            return ExecutionFailed(f"the cluster does not allow it: {told}", where=where, fix=fix)
        if status < TOO_MANY:
            return ExecutionFailed(f"the cluster refused it: {told}", where=where, fix="render it and see what differs")
        return Unreachable(f"it answered {status}: {told}")


def load_credentials(config: Any, settings: Any) -> None:
    """Those of the kubeconfig; without one, inside a pod, the pod's own."""
    try:
        config.load_kube_config(client_configuration=settings)
    except config.ConfigException:
        if "KUBERNETES_SERVICE_HOST" not in os.environ:
            raise
        config.load_incluster_config(client_configuration=settings)


class Missing(Exception):
    """There is no such object."""


def path_of(document: Document) -> str:
    """Where the object lies in the API."""
    version, kind, metadata = document["apiVersion"], document["kind"], document["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{root}/namespaces/{metadata['namespace']}/{PLURALS.get(kind, kind.lower() + 's')}/{metadata['name']}"


def name_of(document: Document) -> str:
    return f"{document['kind']} {document.get('metadata', {}).get('name', '')}".strip()


def message_in(text: str) -> str:
    """What the API says: the message of its Status, else all of it."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, TypeError, KeyError):
        return text[:200] or "no reason given"
