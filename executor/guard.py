"""Runs one tool so that nothing can outlive quantplan: a script of its own, started by `executor.processes`.

    python -I -S guard.py LIFELINE_FD REPORT_FD PROGRAM ARGUMENT...

The tool gets its own session and process group. Its pid is reported on REPORT_FD, and at its end what it used: peak
resident KiB of its largest process, processor seconds. The guard waits for the tool to end or for LIFELINE_FD to close.
The lifeline's other end is held by quantplan alone, so it closes however quantplan ends, `kill -9` included; then the
whole group is stopped. A byte on the lifeline says that the tool is to go on without quantplan. Exits with the tool's
status (128 + N if signal N ended it).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable

GRACE_S = 3.0  # between asking the tool to end and ending it, once quantplan is gone
LINGER_S = 1.0  # between asking what the tool left behind to end and ending it
POLL_S = 0.5


def main(lifeline: int, report_fd: int, command: list[str]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for fd in (lifeline, report_fd):
        os.set_inheritable(fd, False)
    wakeup_read, wakeup_write = os.pipe()
    os.set_blocking(wakeup_write, False)
    signal.set_wakeup_fd(wakeup_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler, so that the wakeup descriptor is written
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        become(command, guard, report_fd)
    watched = [lifeline, wakeup_read]
    while (end := ended(child)) is None:
        ready, _, _ = select.select(watched, [], [], POLL_S)
        if lifeline in ready and is_let_go(lifeline):
            watched.remove(lifeline)
        elif lifeline in ready:
            signal_group(child, signal.SIGTERM)
            if not comes_true(lambda: is_over(child), GRACE_S):
                signal_group(child, signal.SIGKILL)
        if wakeup_read in ready:
            os.read(wakeup_read, 512)
    status, used = end
    end_left_overs(child)
    tell(report_fd, used)
    return status if status >= 0 else 128 - status


def is_let_go(lifeline: int) -> bool:
    """Whether quantplan wrote its word on the lifeline; an end without one means that quantplan is gone."""
    return bool(os.read(lifeline, 1))


def tell(report_fd: int, used: str) -> None:
    with contextlib.suppress(OSError):  # quantplan may be gone
        os.write(report_fd, used.encode())


def become(command: list[str], guard: int, report_fd: int) -> None:
    """Turn this forked child into the tool: own session, default signals, and killed if the guard is.

    The pid is told only then: whoever knows it may signal the group.
    """
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    die_with_parent()
    if os.getppid() != guard:
        os._exit(1)
    os.write(report_fd, f"{os.getpid()}\n".encode())
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"cannot start {command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)


def die_with_parent() -> None:
    """Linux: prctl(PR_SET_PDEATHSIG, SIGKILL), should the guard itself be killed. Elsewhere the journal helps."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))


def ended(child: int) -> tuple[int, str] | None:
    """The tool's exit status, and what it used; None while it runs."""
    pid, status, usage = os.wait4(child, os.WNOHANG)
    if pid != child:
        return None
    peak_kib = usage.ru_maxrss // 1024 if sys.platform == "darwin" else usage.ru_maxrss
    return os.waitstatus_to_exitcode(status), f"{peak_kib} {usage.ru_utime + usage.ru_stime}\n"


def is_over(child: int) -> bool:
    return bool(os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG))


def end_left_overs(child: int) -> None:
    """End what the tool left in its group; ninja under cmake, say, needs a moment to stop the compilers it started."""
    signal_group(child, signal.SIGTERM)
    if not comes_true(lambda: not group_lives(child), LINGER_S):
        signal_group(child, signal.SIGKILL)


def comes_true(condition: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def signal_group(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, number)


def group_lives(child: int) -> bool:
    try:
        os.killpg(child, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
