"""One running tool, below its guard: its own group, its output in a log, and stopped for certain."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")


@dataclass(slots=True)
class Process:
    """One running tool. `pid` is its own and its group's; `created_at` is its start in seconds since the epoch."""

    pid: int
    created_at: float
    arguments: tuple[str, ...]
    log_path: Path
    log_starts_at: int
    _guard: subprocess.Popen[bytes] = field(repr=False)
    _lifeline: int = field(repr=False)

    def poll(self) -> int | None:
        """The exit status (128 + N when signal N ended it), or None while it runs."""
        return self._guard.poll()

    @property
    def running(self) -> bool:
        return self.poll() is None

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for its exit status. subprocess.TimeoutExpired when it outlasts `timeout_s`."""
        return self._guard.wait(timeout_s)

    def output(self) -> str:
        """All it has written so far."""
        with self.log_path.open("rb") as log:
            log.seek(self.log_starts_at)
            return log.read().decode(errors="replace")

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(self.output().splitlines()[-lines:])

    def stop(self, grace_s: float = 10.0) -> int:
        """SIGTERM to the group, wait, SIGKILL. Safe to call twice. Returns the exit status."""
        if self.running:
            signal_group(self.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guard.wait(grace_s)
        if self.running:
            signal_group(self.pid, signal.SIGKILL)
        status = self._guard.wait()
        self._close_lifeline()
        return status

    def _close_lifeline(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1


def start_guarded(
    arguments: tuple[str, ...], log_path: Path, log_fd: int, env: Mapping[str, str] | None, cwd: Path | None
) -> Process:
    lifeline_read, lifeline_write = os.pipe()
    pid_read, pid_write = os.pipe()
    starts_at = os.fstat(log_fd).st_size
    try:
        guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), str(lifeline_read), str(pid_write), *arguments],
            stdin=subprocess.DEVNULL, stdout=log_fd, stderr=log_fd, cwd=cwd, env={**os.environ, **(env or {})},
            pass_fds=(lifeline_read, pid_write), start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(lifeline_read)
        os.close(pid_write)
    with os.fdopen(pid_read, "rb") as reported:
        pid = int(reported.readline() or b"0")
    return Process(pid, process_created_at(pid), arguments, log_path, starts_at, guard, lifeline_write)


def process_created_at(pid: int) -> float:
    """When process `pid` started, seconds since the epoch; 0 when it is gone."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except (psutil.NoSuchProcess, ValueError):
        return 0.0


def signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
