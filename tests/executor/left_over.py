"""Forked children for the executor's tests, and an eye on left-over processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import psutil


def in_child(work: Callable[[], object]) -> int:
    """Do the work in a forked process; returns its wait status (-9: it was killed)."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def processes_with(marker: str) -> list[psutil.Process]:
    """Living processes that have the marker on their command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if marker in " ".join(process.info["cmdline"] or ()) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def gone(marker: str, within_s: float = 10.0) -> bool:
    """Whether every process with the marker ends in time."""
    deadline = time.monotonic() + within_s
    while processes_with(marker):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
