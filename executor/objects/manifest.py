"""What a model in an object store consists of: written last, so that a half upload is never taken for a whole one."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

from pydantic import ValidationError, field_validator

from executor.artifacts import sha256_of
from executor.objects.store import Store
from executor.steps.fetch import list_model_files
from planner import __version__
from planner.catalog import load_yaml
from planner.errors import BadInput, ExecutionFailed
from planner.ports import OnMessage
from planner.request import Frozen

NAME = "quantplan-manifest.json"
ID_LENGTH = 16


class StoredFile(Frozen):
    """One file: its name below the model's root, its size and its SHA-256."""

    name: str
    bytes: int
    sha256: str

    @field_validator("name")
    @classmethod
    def _stays_below(cls, name: str) -> str:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
            raise ValueError("a name that leads out of the model")
        return name


class Manifest(Frozen):
    """All files of a model, by name."""

    quantplan_version: str
    files: tuple[StoredFile, ...]

    @property
    def total_bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def content_id(self) -> str:
        """A name for exactly this content, whoever put it there."""
        lines = "".join(f"{file.sha256}  {file.name}\n" for file in self.files)
        return hashlib.sha256(lines.encode()).hexdigest()[:ID_LENGTH]


def manifest_of(source: Path, on_message: OnMessage) -> tuple[Manifest, dict[str, Path]]:
    """The manifest of a model directory or GGUF file, and where each file lies here. BadInput unless it is one."""
    paths = _files_of(source)
    files = []
    for done, (name, path) in enumerate(paths.items()):
        on_message(f"hashing {name}", done / len(paths))
        files.append(StoredFile(name=name, bytes=path.stat().st_size, sha256=sha256_of(path)))
    return Manifest(quantplan_version=__version__, files=tuple(files)), paths


def stored_manifest(store: Store) -> Manifest | None:
    """The manifest that lies in the store; None when there is none. ExecutionFailed when it is not one."""
    content = store.read(NAME)
    if content is None:
        return None
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise ExecutionFailed(
            f"its {NAME} is none: {error.errors()[0]['msg']}",
            where=store.address,
            fix="remove that object, and push the model again",
        ) from None


def _files_of(source: Path) -> dict[str, Path]:
    if source.is_dir():
        return {path.relative_to(source).as_posix(): path for path in list_model_files(source)}
    if source.suffix != ".gguf" or not source.is_file():
        raise BadInput("no model directory and no GGUF file", where=str(source), fix="name what a run made, or the run")
    return {load_yaml("kubernetes.yaml")["stored_gguf"]: source}
