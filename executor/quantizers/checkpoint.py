"""A checkpoint directory that is either whole or absent: written aside, synced, renamed, remembered file by file."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from executor.artifacts import PARTIAL, Artifact, no_space_left, require_space, sync
from planner.errors import ExecutionFailed


class CheckpointWriter:
    """Makes one directory: fill `partial`; on a clean exit it is checked, synced and renamed to `path`.

    ExecutionFailed when `needs_bytes` are not free beforehand, the disk fills up, or nothing was written.
    """

    def __init__(self, path: Path, *, needs_bytes: int = 0, check: Callable[[Path], None] | None = None) -> None:
        self.path = path
        self.partial = path.with_name(f"{path.name}{PARTIAL}{os.getpid()}")
        self._needs_bytes, self._check = needs_bytes, check

    def __enter__(self) -> CheckpointWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        require_space(self.path.parent, self._needs_bytes)
        shutil.rmtree(self.partial, ignore_errors=True)
        self.partial.mkdir()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            shutil.rmtree(self.partial, ignore_errors=True)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise no_space_left(self.path.parent, self._needs_bytes) from error

    def records(self) -> list[dict[str, Any]]:
        """Every file of the finished directory, by path, bytes and checksum."""
        return [Artifact.of(path).record() for path in sorted(self.path.rglob("*")) if path.is_file()]

    def _finish(self) -> None:
        if not any(self.partial.glob("*.safetensors")):
            raise ExecutionFailed(f"no safetensors were written for {self.path.name}", where=str(self.path.parent))
        if self._check is not None:
            self._check(self.partial)
        for path in self.partial.rglob("*"):
            sync(path)
        shutil.rmtree(self.path, ignore_errors=True)
        self.partial.rename(self.path)
        sync(self.path.parent)
