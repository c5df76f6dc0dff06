"""Locks that a crash cannot leave behind: fcntl locks on a file that also says who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

POLL_S = 0.1
GRACE_S = 0.5  # `is_locked` takes a lock for an instant; that is nobody holding it


class Held(Exception):
    """Somebody else holds the lock; the message says who."""


@contextlib.contextmanager
def lock(path: Path, *, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock file for the block. When it is taken: `Held`, or `waiting` is told by whom and the block waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        _take(file, waiting)
        file.truncate(0)
        file.write(f"process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        file.flush()
        yield


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock now."""
    if not path.exists():
        return False
    with path.open("a+", encoding="utf-8") as file:
        return not _taken(file)


def _take(file: IO[str], waiting: Callable[[str], None] | None) -> None:
    refuse_at, told = time.monotonic() + GRACE_S, False
    while not _taken(file):
        if waiting is None and time.monotonic() > refuse_at:
            raise Held(_holder(file))
        if waiting is not None and not told:
            waiting(_holder(file))
            told = True
        time.sleep(POLL_S)


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip() or "another process"
