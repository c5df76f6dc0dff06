"""A cluster from wherever it is described: a YAML file, or what Ray or Kubernetes print about a running one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from planner.clusters.cluster import Cluster
from planner.clusters.documents import read_document
from planner.errors import BadInput

A_CLUSTER = "docs/cluster.md shows one; `quantplan cluster --kubernetes nodes.json --out cluster.yaml` writes one"


def read_cluster(path: Path) -> Cluster:
    """The cluster a YAML file declares. BadInput with the line of an unknown key, name or bad value."""
    return read_document(path, Cluster, "a cluster file")


def read_json(path: Path, command: str) -> Any:
    """What `command` printed into this file. BadInput when it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or f"it is not JSON: {error}"
        raise BadInput(f"cannot read nodes: {reason}", where=str(path), fix=f"write it with `{command}`") from None


def as_yaml(cluster: Cluster) -> str:
    """The cluster as a file that `read_cluster` reads; what is not known is left out."""
    import yaml

    content = cluster.model_dump(mode="json", exclude_defaults=True)
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))
