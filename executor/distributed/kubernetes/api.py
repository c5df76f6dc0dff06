"""A cluster's API through the official client: documents applied, read and deleted."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from executor.distributed.jobs import Unreachable
from executor.distributed.kubernetes.refusals import (
    BAD_REQUEST,
    Document,
    Forbidden,
    Lacking,
    Missing,
    message_in,
    plural_of,
    refusal,
    table,
)
from planner.errors import BadInput, ExecutionFailed, ExecutorMissing
from planner.request import Frozen

APPLY = "application/apply-patch+yaml"
MANAGER = "quantplan"


class Patience(Frozen):
    """How long to wait for what, in seconds."""

    request_s: float
    poll_s: float
    silent_s: float
    pending_s: float
    source: str = ""


class KubeApi:
    """The API server of the kubeconfig's context (in a pod: the pod's own), or at `address` with its credentials."""

    def __init__(self, address: str | None = None, context: str | None = None, request_s: float | None = None) -> None:
        """ExecutorMissing without the client; ExecutionFailed where neither kubeconfig nor address names a cluster;
        BadInput for a context that the kubeconfig does not have.
        """
        try:
            from kubernetes import client, config
        except ImportError:
            fix = "pip install 'quantplan[kubernetes]'"
            raise ExecutorMissing("the Kubernetes client is not installed", fix=fix) from None
        settings = client.Configuration()
        try:
            load_credentials(config, settings, context)
        except (config.ConfigException, OSError) as error:
            if address is None:
                fix = "set KUBECONFIG, or name the API server with --address"
                raise ExecutionFailed(f"no cluster is configured: {error}", fix=fix) from None
        settings.host, settings.retries = address or settings.host, False
        self._client = client.ApiClient(settings)
        self._request_s = request_s or float(table()["patience"]["request_s"])
        self.address, self.context = str(settings.host), context

    def apply(self, document: Document) -> Document:
        """Server-side apply. ExecutionFailed where the cluster refuses it, or lacks the interface."""
        query = [("fieldManager", MANAGER), ("force", "true")]
        applied: Document = self._ask(
            "PATCH", path_of(document), query=query, body=document, content_type=APPLY, about=document
        )
        return applied

    def get(self, document: Document) -> Document | None:
        """The object as it is there; None when there is none."""
        try:
            found: Document = self._ask("GET", path_of(document), about=document)
            return found
        except Missing:
            return None

    def delete(self, document: Document) -> None:
        """Delete it with what it owns; nothing when it is gone."""
        try:
            self._ask("DELETE", path_of(document), query=[("propagationPolicy", "Foreground")], about=document)
        except Missing:
            return

    def serves(self, version: str) -> bool:
        """Whether the cluster has that group and version of interfaces, as far as one may look."""
        about = {"kind": "APIResourceList", "apiVersion": version}
        with suppress(Forbidden):
            try:
                self._ask("GET", f"/apis/{version}" if "/" in version else f"/api/{version}", about=about)
            except (Missing, Lacking):
                return False
        return True

    def nodes(self) -> list[Document]:
        return self._listed("/api/v1/nodes", "Node", {})

    def names(self, kind: str, version: str) -> list[str]:
        """What there is of a kind that lies in no namespace."""
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        return [
            found["metadata"]["name"] for found in self._listed(f"{root}/{plural_of(kind)}", kind, {}, None, version)
        ]

    def events(self, document: Document) -> list[Document]:
        """What the cluster reported of an object, the oldest first."""
        namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
        query = [("fieldSelector", f"involvedObject.kind={document['kind']},involvedObject.name={name}")]
        return self._listed(f"/api/v1/namespaces/{namespace}/events", "Event", {"namespace": namespace}, query)

    def pods(self, namespace: str, selector: Mapping[str, str]) -> list[Document]:
        """The pods with these labels, the oldest first."""
        labels = ",".join(f"{key}={value}" for key, value in selector.items())
        path = f"/api/v1/namespaces/{namespace}/pods"
        return self._listed(path, "Pod", {"namespace": namespace}, [("labelSelector", labels)])

    def log(self, namespace: str, pod: str, previous: bool = False) -> str:
        """What the pod wrote (`previous`: before it was started again); empty where it is gone."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        about = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": pod, "namespace": namespace}}
        try:
            query = [("previous", "true")] if previous else None
            return str(self._ask("GET", path, query=query, about=about, as_text=True))
        except Missing:
            return ""

    def _listed(
        self,
        path: str,
        kind: str,
        metadata: Mapping[str, str],
        query: list[tuple[str, str]] | None = None,
        version: str = "v1",
    ) -> list[Document]:
        about = {"kind": kind, "apiVersion": version, "metadata": dict(metadata)}
        found = self._ask("GET", path, query=query, about=about).get("items") or []
        return sorted(found, key=lambda one: one["metadata"].get("creationTimestamp") or "")

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
            raise refusal(method, status, message_in(text), about, self.address)
        return text if as_text else json.loads(text)


def load_credentials(config: Any, settings: Any, context: str | None) -> None:
    """Those of the kubeconfig's context; without a kubeconfig, inside a pod, the pod's own."""
    if context is not None:
        known = [str(found["name"]) for found in config.list_kube_config_contexts()[0]]
        if context not in known:
            fix = "kubectl config get-contexts lists them"
            raise BadInput(f"the kubeconfig has no context {context!r}", nearest=known, fix=fix)
    try:
        config.load_kube_config(client_configuration=settings, context=context)
    except config.ConfigException:
        if "KUBERNETES_SERVICE_HOST" not in os.environ:
            raise
        config.load_incluster_config(client_configuration=settings)


def path_of(document: Document) -> str:
    """Where the object lies in the API."""
    version, metadata = document["apiVersion"], document["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{inside}/{plural_of(document['kind'])}/{metadata['name']}"
