"""Child processes that are always stopped: own group, output in a log, journalled, ended with us even by kill -9.

Every tool runs under `executor/guard.py`, which ends the tool's whole group when quantplan is gone, however it went.
"""

from __future__ import annotations

import atexit
import contextlib
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

from executor.process import Process, Usage, process_created_at, signal_group, start_guarded
from planner.errors import ExecutionFailed

__all__ = ["Process", "Processes", "Register", "ToolFailed", "kill_survivors", "require_program", "tool_failed"]

POLL_S = 0.05
SAME_START_S = 0.05  # start times are exact to a clock tick, 10 ms on Linux
RESUME = "mend what the log says, then run the same `quantplan apply` again: finished steps are not repeated"

MORE_SPACE = "free some space, or set QUANTPLAN_HOME to a larger disk; then run the same `quantplan apply` again"

# As the C library says it, and numpy, which does not ask why a write was cut short.
NO_ROOM = re.compile(r"No space left on device|File too large|Disk quota exceeded|\d+ requested and \d+ written")
Arguments = Sequence[str | Path]


class ToolFailed(ExecutionFailed):
    """A tool ended badly. `exit_status` is None where it was we who ended it."""

    def __init__(self, what: str, *, fix: str, exit_status: int | None) -> None:
        super().__init__(what, fix=fix)
        self.exit_status = exit_status


class Register(Protocol):
    """Where started processes are written down, so that a later run can find survivors."""

    def process_started(self, pid: int, created_at: float, command: str) -> None: ...

    def process_ended(self, pid: int, created_at: float) -> None: ...


class Processes:
    """Starts tools and ends them all when its `with` block does, at exit, or when quantplan dies."""

    def __init__(self, register: Register | None = None) -> None:
        self._register = register
        self._alive: list[Process] = []
        self._used = Usage()
        atexit.register(self.stop_all)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop_all()
        atexit.unregister(self.stop_all)

    def start(
        self, args: Arguments, *, log_path: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Process:
        """Start a tool that goes on running (a server). `env` is added to ours; output is appended to the log.

        ExecutionFailed when there is no such program.
        """
        arguments = tuple(str(a) for a in args)
        require_program(arguments[0])
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log:
            process = start_guarded(arguments, log_path, log.fileno(), env, cwd)
        self._alive.append(process)
        if self._register is not None:
            self._register.process_started(process.pid, process.created_at, " ".join(arguments))
        return process

    def stop(self, process: Process, grace_s: float = 10.0) -> int:
        """Stop one tool and everything it started; returns its exit status."""
        status = process.stop(grace_s)
        if process in self._alive:
            self._used = self._used.and_(process.usage)
            self._forget(process)
        return status

    def running(self, pid: int) -> Process | None:
        """The tool of that pid that we started and that still runs."""
        return next((process for process in self._alive if process.pid == pid and process.running), None)

    def let_go(self, process: Process) -> None:
        """Let a tool run on when this block ends. It must be written down elsewhere first."""
        self._forget(process)
        process.let_go()

    def take_usage(self) -> Usage:
        """What the tools that ended since the last call used."""
        used, self._used = self._used, Usage()
        return used

    def used_elsewhere(self, usage: Usage) -> None:
        """Add what the tools of a step used on another machine."""
        self._used = self._used.and_(usage)

    def _forget(self, process: Process) -> None:
        self._alive.remove(process)
        if self._register is not None:
            self._register.process_ended(process.pid, process.created_at)

    def stop_all(self) -> None:
        """Stop every tool that still runs, the latest first."""
        for process in reversed(tuple(self._alive)):
            self.stop(process)

    def run_tool(
        self,
        args: Arguments,
        log_path: Path,
        timeout_s: float | None = None,
        on_line: Callable[[str], None] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> str:
        """Run a tool to its end and return its output (stdout and stderr, as in the log).

        `on_line` hears each line as it is written (a carriage return ends a line too). ExecutionFailed when it exits
        with another status than 0 or outlasts `timeout_s`: the last lines of the log, the log's path, how to resume.
        """
        process = self.start(args, log_path=log_path, env=env, cwd=cwd)
        try:
            status = _follow(process, timeout_s, on_line)
        finally:
            self.stop(process)
        if status != 0:
            raise tool_failed(process, f"{Path(process.arguments[0]).name} failed with exit status {status}")
        return process.output()


def tool_failed(process: Process, what: str) -> ToolFailed:
    """The error for a tool that failed: what it was, its last lines, and where the whole log lies."""
    tail = process.log_tail()
    said = f"\nThe last lines of its log:\n{_indented(tail)}" if tail else "\nIt wrote nothing."
    fix = MORE_SPACE if NO_ROOM.search(tail) else RESUME
    status = None if process.was_stopped else process.poll()
    return ToolFailed(f"{what}{said}\nThe whole log: {process.log_path}", fix=fix, exit_status=status)


def require_program(program: str) -> None:
    """ExecutionFailed unless `program` is an executable file or on PATH."""
    if shutil.which(program) is None:
        raise ExecutionFailed(f"there is no program {program!r}", fix=f"install {Path(program).name} or put it on PATH")


def kill_survivors(recorded: Sequence[tuple[int, float]]) -> list[int]:
    """Kill what an earlier run lost: those recorded (pid, start time) pairs that still match. Returns their pids."""
    survivors = [pid for pid, created_at in recorded if _is_same_process(pid, created_at)]
    for pid in survivors:
        signal_group(pid, signal.SIGKILL)
    return survivors


def _follow(process: Process, timeout_s: float | None, on_line: Callable[[str], None] | None) -> int:
    """Wait for the tool's end, handing on its lines; returns its exit status."""
    deadline = time.monotonic() + timeout_s if timeout_s is not None else None
    lines = _new_lines(process)
    while True:
        status = process.poll()
        for line in lines:
            if line is None:
                break
            if on_line is not None:
                on_line(line)
        if status is not None:
            return status
        if deadline is not None and time.monotonic() > deadline:
            raise tool_failed(process, f"{Path(process.arguments[0]).name} did not finish in {timeout_s:.0f} s")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)


def _new_lines(process: Process) -> Iterator[str | None]:
    """Complete lines of the log as they come; None each time there is no more for now."""
    with process.log_path.open("rb") as log:
        log.seek(process.log_starts_at)
        rest = b""
        while True:
            *complete, rest = (rest + log.read()).replace(b"\r", b"\n").split(b"\n")
            for line in complete:
                if line:
                    yield line.decode(errors="replace")
            yield None


def _is_same_process(pid: int, created_at: float) -> bool:
    return pid > 1 and abs(process_created_at(pid) - created_at) < SAME_START_S


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
