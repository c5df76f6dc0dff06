"""Files and directories made aside, and renamed when whole: whatever ends their maker, no half of one is seen."""

from __future__ import annotations

import errno
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from planner.errors import ExecutionFailed
from planner.units import GIB, MIB

PARTIAL = ".partial-"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Aside(ABC):
    """Something to be made at `partial`; on a clean exit it is finished and lies at `path`, else nothing is left of it.

    `check` sees what was made and raises when it is not what was wanted. ExecutionFailed when `needs_bytes` are not
    free beforehand, or the disk fills up.
    """

    def __init__(self, path: Path, needs_bytes: int = 0, check: Callable[[Path], None] | None = None) -> None:
        self.path = path
        self.partial = path.with_name(f"{path.name}{PARTIAL}{os.getpid()}")
        self._needs_bytes, self._check = needs_bytes, check

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        require_space(self.path.parent, self._needs_bytes)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            remove(self.partial)
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise no_space_left(self.path.parent, self._needs_bytes) from error

    def _checked(self) -> None:
        if self._check is not None:
            self._check(self.partial)

    @abstractmethod
    def _finish(self) -> None:
        """Check it, sync it, rename it."""


def remove(path: Path) -> None:
    """Remove a file or a whole directory, where there is one."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_partials(directory: Path) -> None:
    """Remove what interrupted writers left under `directory`. Call it only while holding the workspace's lock."""
    for left_over in directory.rglob(f"*{PARTIAL}*"):
        remove(left_over)


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


def sync(path: Path) -> None:
    """Make a file's content, or a directory's entries, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _amount(count: int) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / MIB:.1f} MiB"
