"""Models in an object store (S3, and what speaks it): put there whole or not at all, fetched and checked, resumable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from planner.ports import OnMessage, StoredModel

if TYPE_CHECKING:
    from executor.objects.manifest import Manifest


def require_store(address: str) -> None:
    """BadInput for an address that is none; ExecutionFailed unless its bucket is there and may be looked into."""
    from executor.objects.store import Store

    Store(address).require()


def push_model(source: Path, address: str, on_message: OnMessage) -> StoredModel:
    """Put a model directory or GGUF file below an address. BadInput or ExecutionFailed say what the store refuses."""
    from executor.objects.pushing import push
    from executor.objects.store import Store

    return _stored(address, push(source, Store(address), on_message))


def pull_model(address: str, directory: Path, on_message: OnMessage) -> StoredModel:
    """Fetch the model below an address into a directory. ExecutionFailed where nothing whole lies there."""
    from executor.objects.pulling import pull
    from executor.objects.store import Store

    return _stored(address, pull(Store(address), directory, on_message))


def _stored(address: str, manifest: Manifest) -> StoredModel:
    return StoredModel(address, manifest.content_id, len(manifest.files), manifest.total_bytes)
