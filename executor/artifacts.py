"""Files that are either whole or absent, and are remembered by size and SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.aside import Aside, sync
from planner.errors import ExecutionFailed


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished file, as it was when it was recorded. A step returns `record()`s in its result under "artifacts"."""

    path: Path
    bytes: int
    sha256: str

    def record(self) -> dict[str, Any]:
        return {"path": str(self.path), "bytes": self.bytes, "sha256": self.sha256}

    @classmethod
    def of(cls, path: Path) -> Artifact:
        """The file as it is now."""
        return cls(path, path.stat().st_size, sha256_of(path))

    @classmethod
    def recorded(cls, record: Mapping[str, Any]) -> Artifact:
        return cls(Path(record["path"]), record["bytes"], record["sha256"])

    def difference(self) -> str | None:
        """What differs between the file and its record, or None while it is exactly as recorded."""
        if not self.path.is_file():
            return f"{self.path} is gone"
        size = self.path.stat().st_size
        if size != self.bytes:
            return f"{self.path} has {size:,} bytes instead of {self.bytes:,}"
        return None if sha256_of(self.path) == self.sha256 else f"{self.path} has other content than when it was made"


class ArtifactWriter(Aside):
    """Makes one artefact: write to `partial`; on a clean exit it is synced, checked and renamed to `path`.

        with ArtifactWriter(workspace / "model.gguf", needs_bytes=expected) as writer:
            processes.run_tool([quantize, source, writer.partial, "Q4_K_M"], log_path)
        return {"artifacts": [writer.artifact.record()]}

    `check` sees the partial file and raises when it is not what was wanted; nothing is renamed then.
    ExecutionFailed when `needs_bytes` are not free beforehand, or the disk fills up while writing.
    """

    def __init__(self, path: Path, *, needs_bytes: int = 0, check: Callable[[Path], None] | None = None) -> None:
        super().__init__(path, needs_bytes, check)
        self._artifact: Artifact | None = None

    @property
    def artifact(self) -> Artifact:
        if self._artifact is None:
            raise RuntimeError(f"{self.path} is not finished")
        return self._artifact

    def _finish(self) -> None:
        if not self.partial.is_file():
            raise ExecutionFailed(f"{self.path.name} was not written", where=str(self.path.parent))
        self._checked()
        sync(self.partial)
        finished = Artifact(self.path, self.partial.stat().st_size, sha256_of(self.partial))
        self.partial.replace(self.path)
        sync(self.path.parent)
        self._artifact = finished


def write_text(path: Path, text: str) -> Artifact:
    """Write a small text file as an artefact."""
    with ArtifactWriter(path) as writer:
        writer.partial.write_text(text, encoding="utf-8")
    return writer.artifact


def altered(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """What differs between artefacts and their records; empty while all verify."""
    return [said for record in records if (said := Artifact.recorded(record).difference())]


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
