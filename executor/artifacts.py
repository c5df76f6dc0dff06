"""Files that are either whole or absent: written aside, synced, checked, renamed, remembered by size and SHA-256."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from planner.errors import ExecutionFailed
from planner.units import GIB, MIB

PARTIAL = ".partial-"


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


class ArtifactWriter:
    """Makes one artefact: write to `partial`; on a clean exit it is synced, checked and renamed to `path`.

        with ArtifactWriter(workspace / "model.gguf", needs_bytes=expected) as writer:
            processes.run_tool([quantize, source, writer.partial, "Q4_K_M"], log_path)
        return {"artifacts": [writer.artifact.record()]}

    `check` sees the partial file and raises when it is not what was wanted; nothing is renamed then.
    ExecutionFailed when `needs_bytes` are not free beforehand, or the disk fills up while writing.
    """

    def __init__(self, path: Path, *, needs_bytes: int = 0, check: Callable[[Path], None] | None = None) -> None:
        self.path = path
        self.partial = path.with_name(f"{path.name}{PARTIAL}{os.getpid()}")
        self._needs_bytes, self._check = needs_bytes, check
        self._artifact: Artifact | None = None

    @property
    def artifact(self) -> Artifact:
        if self._artifact is None:
            raise RuntimeError(f"{self.path} is not finished")
        return self._artifact

    def __enter__(self) -> ArtifactWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        require_space(self.path.parent, self._needs_bytes)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            self.partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise no_space_left(self.path.parent, self._needs_bytes) from error

    def _finish(self) -> None:
        if not self.partial.is_file():
            raise ExecutionFailed(f"{self.path.name} was not written", where=str(self.path.parent))
        if self._check is not None:
            self._check(self.partial)
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


def remove_partials(directory: Path) -> None:
    """Remove what interrupted writers left under `directory`. Call it only while holding the workspace's lock."""
    for left_over in directory.rglob(f"*{PARTIAL}*"):
        if left_over.is_dir():
            shutil.rmtree(left_over, ignore_errors=True)
        else:
            left_over.unlink(missing_ok=True)


def require_space(directory: Path, needs_bytes: int) -> None:
    """ExecutionFailed when fewer than `needs_bytes` are free where `directory` lies."""
    if needs_bytes and shutil.disk_usage(directory).free < needs_bytes:
        raise no_space_left(directory, needs_bytes)


def no_space_left(directory: Path, needs_bytes: int = 0) -> ExecutionFailed:
    free = f"{_amount(shutil.disk_usage(directory).free)} free"
    needed = f"{_amount(needs_bytes)} needed, {free}" if needs_bytes else free
    return ExecutionFailed(
        f"No space left on the disk: {needed}. Nothing half-written was kept",
        where=str(directory),
        fix="free some space, or set QUANTPLAN_HOME to a larger disk; then run the same `quantplan apply` again",
    )


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Make a file's content, or a directory's entries, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _amount(count: int) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / MIB:.1f} MiB"
