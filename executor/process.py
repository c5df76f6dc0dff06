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
LET_GO = b"+"
KIB = 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """What tools used: peak resident bytes of the largest process, and processor seconds of all.

    `wall_s`: how long the step took where it ran, when that is another machine.
    """

    peak_bytes: int = 0
    cpu_s: float = 0.0
    wall_s: float | None = None

    def and_(self, other: Usage) -> Usage:
        """Both together, one after the other."""
        wall_s = None if self.wall_s is other.wall_s is None else (self.wall_s or 0.0) + (other.wall_s or 0.0)
        return Usage(max(self.peak_bytes, other.peak_bytes), self.cpu_s + other.cpu_s, wall_s)


@dataclass(slots=True)
class Process:
    """One running tool. `pid` is its own and its group's; `created_at` tells it from a later process of the same pid.

    `was_stopped`: it still ran when we ended it, so its exit status says nothing about it.
    """

    pid: int
    created_at: float
    arguments: tuple[str, ...]
    log_path: Path
    log_starts_at: int
    _guard: subprocess.Popen[bytes] = field(repr=False)
    _lifeline: int = field(repr=False)
    _report: int = field(repr=False)
    was_stopped: bool = False
    usage: Usage = Usage()

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
            self.was_stopped = True
            signal_group(self.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guard.wait(grace_s)
        if self.running:
            signal_group(self.pid, signal.SIGKILL)
        status = self._guard.wait()
        self._read_usage()
        self._close()
        return status

    def let_go(self) -> None:
        """Let it run on when quantplan ends. Whoever calls this has written down how to find it again."""
        os.write(self._lifeline, LET_GO)
        self._close()

    def _read_usage(self) -> None:
        if self._report >= 0 and (told := os.read(self._report, 100).split()):
            self.usage = Usage(int(told[0]) * KIB, float(told[1]))

    def _close(self) -> None:
        for fd in (self._lifeline, self._report):
            if fd >= 0:
                os.close(fd)
        self._lifeline = self._report = -1


def start_guarded(
    arguments: tuple[str, ...], log_path: Path, log_fd: int, env: Mapping[str, str] | None, cwd: Path | None
) -> Process:
    lifeline_read, lifeline_write = os.pipe()
    report_read, report_write = os.pipe()
    starts_at = os.fstat(log_fd).st_size
    try:
        guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), str(lifeline_read), str(report_write), *arguments],
            stdin=subprocess.DEVNULL, stdout=log_fd, stderr=log_fd, cwd=cwd, env={**os.environ, **(env or {})},
            pass_fds=(lifeline_read, report_write), start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(lifeline_read)
        os.close(report_write)
    pid = int(_first_line(report_read) or b"0")
    return Process(pid, process_created_at(pid), arguments, log_path, starts_at, guard, lifeline_write, report_read)


def _first_line(fd: int) -> bytes:
    """The line the guard writes first, and not a byte more."""
    line = b""
    while (byte := os.read(fd, 1)) not in (b"", b"\n"):
        line += byte
    return line


def process_created_at(pid: int) -> float:
    """When process `pid` started, by a clock that nobody can set; 0 when it is gone.

    On Linux: seconds since the machine was started (proc(5), field 22 of /proc/PID/stat). The wall clock may jump, and
    with it the start time that is computed from it. Elsewhere: seconds since the epoch.
    """
    if sys.platform == "linux":
        try:
            after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        except OSError:
            return 0.0
        state, ticks = after_name.split()[0], int(after_name.split()[19])
        return 0.0 if state in "ZX" else ticks / os.sysconf("SC_CLK_TCK")
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except (psutil.NoSuchProcess, ValueError):
        return 0.0


def signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
