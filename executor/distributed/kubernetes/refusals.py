"""What an API server refuses, in our words: what, by which rule of its own, and what helps."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from executor.distributed.jobs import Unreachable
from planner.errors import ExecutionFailed

TABLE = Path(__file__).with_name("cluster.yaml")
Document = dict[str, Any]
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_MANY = 400, 401, 403, 404, 429
VERBS = {"PATCH": "patch", "GET": "get", "DELETE": "delete"}
PLURALS = {"StorageClass": "storageclasses"}
LACKS = "could not find the requested resource"
OVER_QUOTA = "exceeded quota"


class Missing(Exception):
    """There is no such object."""


class Lacking(ExecutionFailed):
    """The cluster does not serve that interface."""


class Forbidden(ExecutionFailed):
    """These credentials may not do it."""


@lru_cache(maxsize=1)
def table() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return found


def refusal(method: str, status: int, told: str, about: Document, address: str) -> Exception:
    """The answer as an exception: Missing, Unreachable where it may pass, else ExecutionFailed."""
    where = f"{address}, {name_of(about)}"
    if status == NOT_FOUND and LACKS in told:
        return lacking(about, where)
    if status == NOT_FOUND and told.startswith("namespaces ") and about["kind"] != "Namespace":
        return no_namespace(str(about["metadata"]["namespace"]), address)
    if status == NOT_FOUND:
        return Missing(told)
    if status == FORBIDDEN and OVER_QUOTA in told:
        return over_quota(told, str(about["metadata"]["namespace"]), where)
    if status in (UNAUTHORIZED, FORBIDDEN):
        return not_allowed(VERBS[method], about, told, where)
    if status < TOO_MANY:
        fix = "render it (quantplan render PLAN --for kubernetes) and see what the cluster does not take"
        return ExecutionFailed(f"the cluster refused it: {told}", where=where, fix=fix)
    return Unreachable(f"it answered {status}: {told}")


def lacking(about: Document, where: str) -> Lacking:
    """How it is installed, and what does without it."""
    known = table()["interfaces"].get(about["apiVersion"], {})
    ways = [f"install {known['install']}" if known else "use a cluster that has it", known.get("instead")]
    what = f"the cluster has no {about['kind']} of {about['apiVersion']}"
    return Lacking(what, where=where, fix="; or ".join(way for way in ways if way))


def no_namespace(name: str, address: str, known: tuple[str, ...] = ()) -> ExecutionFailed:
    fix = f"kubectl create namespace {name}, or name another with --namespace"
    return ExecutionFailed(f"no namespace {name!r}", where=address, nearest=known, fix=fix)


def over_quota(told: str, namespace: str, where: str) -> ExecutionFailed:
    return ExecutionFailed(
        f"the quota of namespace {namespace} does not allow it: {told}",
        where=where,
        fix=f"free some of it or have it raised (kubectl describe quota -n {namespace}), or use another --namespace",
    )


def not_allowed(verb: str, about: Document, told: str, where: str) -> Forbidden:
    """The verb and the resource are what a role has to name."""
    resource, namespace = resource_of(about), about.get("metadata", {}).get("namespace")
    there = f" -n {namespace}" if namespace else ""
    return Forbidden(
        f"you may not {verb} {resource}{f' in namespace {namespace}' if namespace else ''}: {told}",
        where=where,
        fix=f"ask for that right (kubectl auth can-i {verb} {resource}{there}), or use another --context",
    )


def resource_of(about: Document) -> str:
    """The resource as RBAC names it: jobs.batch."""
    group = about["apiVersion"].rpartition("/")[0]
    return f"{plural_of(about['kind'])}{f'.{group}' if group else ''}"


def plural_of(kind: str) -> str:
    return PLURALS.get(kind, f"{kind.lower()}s")


def name_of(document: Document) -> str:
    return f"{document['kind']} {document.get('metadata', {}).get('name', '')}".strip()


def message_in(text: str) -> str:
    """What the API says: the message of its Status, else all of it."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, TypeError, KeyError):
        return text[:200] or "no reason given"
