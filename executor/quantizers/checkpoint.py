"""A checkpoint directory that is either whole or absent: written aside, synced, renamed, remembered file by file."""

from __future__ import annotations

from typing import Any, Self

from executor.artifacts import Artifact
from executor.aside import Aside, remove, sync
from planner.errors import ExecutionFailed


class CheckpointWriter(Aside):
    """Makes one directory: fill `partial`; on a clean exit it is checked, synced and renamed to `path`.

    ExecutionFailed when `needs_bytes` are not free beforehand, the disk fills up, or nothing was written.
    """

    def __enter__(self) -> Self:
        super().__enter__()
        remove(self.partial)
        self.partial.mkdir()
        return self

    def records(self) -> list[dict[str, Any]]:
        """Every file of the finished directory, by path, bytes and checksum."""
        return [Artifact.of(path).record() for path in sorted(self.path.rglob("*")) if path.is_file()]

    def _finish(self) -> None:
        if not any(self.partial.glob("*.safetensors")):
            raise ExecutionFailed(f"no safetensors were written for {self.path.name}", where=str(self.path.parent))
        self._checked()
        for path in self.partial.rglob("*"):
            sync(path)
        remove(self.path)
        self.partial.rename(self.path)
        sync(self.path.parent)
