"""A model out of an object store: only a whole one, each file checked and renamed, a cut download goes on."""

from __future__ import annotations

from pathlib import Path

from executor.artifacts import sha256_of
from executor.aside import PARTIAL, require_space, sync
from executor.objects.manifest import NAME, Manifest, StoredFile, stored_manifest
from executor.objects.store import Cut, Store
from planner.errors import ExecutionFailed
from planner.ports import OnMessage


def pull(store: Store, directory: Path, on_message: OnMessage) -> Manifest:
    """Fetch the model that the store holds into a directory, which is made.

    Asked again it fetches only what is missing, from the byte where it was cut. ExecutionFailed where nothing whole
    lies there, where a file is not what the manifest says, or the store refuses or is silent.
    """
    manifest = stored_manifest(store)
    if manifest is None:
        store.require()
        raise ExecutionFailed(
            f"no whole model lies there: no {NAME}, which an upload writes last",
            where=store.address,
            fix="look at the address, or end the upload: quantplan artefacts push MODEL ADDRESS goes on with it",
        )
    missing = [file for file in manifest.files if not _is_here(file, directory)]
    directory.mkdir(parents=True, exist_ok=True)
    require_space(directory, sum(file.bytes for file in missing))
    fetched = manifest.total_bytes - sum(file.bytes for file in missing)
    for file in missing:
        on_message(f"fetching {file.name}", fetched / manifest.total_bytes)
        _get(store, file, directory)
        fetched += file.bytes
    on_message(f"{len(manifest.files)} files, checked", 1.0)
    return manifest


def _is_here(file: StoredFile, directory: Path) -> bool:
    path = directory / file.name
    return path.is_file() and path.stat().st_size == file.bytes and sha256_of(path) == file.sha256


def _get(store: Store, file: StoredFile, directory: Path) -> None:
    """One file, into a partial one that names its content, checked, then renamed."""
    path = directory / file.name
    partial = path.with_name(f"{path.name}{PARTIAL}{file.sha256[:16]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    for tries_left in reversed(range(store.settings.attempts)):
        try:
            _append(store, file, partial)
            break
        except Cut:
            if not tries_left:
                raise
    if partial.stat().st_size != file.bytes or sha256_of(partial) != file.sha256:
        partial.unlink()
        raise ExecutionFailed(
            f"{file.name} is not what its manifest says, and was removed again",
            where=store.address,
            fix="push the model again: what differs is sent anew",
        )
    sync(partial)
    partial.replace(path)


def _append(store: Store, file: StoredFile, partial: Path) -> None:
    """What the partial file lacks."""
    with partial.open("ab") as writing:
        if (start := writing.tell()) < file.bytes:
            for block in store.stream(file.name, start):
                writing.write(block)
