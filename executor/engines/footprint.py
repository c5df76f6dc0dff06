"""Memory and processor time of a process and all it started, as the operating system counts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


@dataclass(frozen=True, slots=True)
class CpuClock:
    """Processor seconds used so far: by the whole machine, by one process tree, and by this process."""

    machine_s: float
    tree_s: float
    own_s: float


def resident_bytes(pid: int) -> int | None:
    """Resident memory of the process tree, mapped files included; None when it has ended."""
    return round(_sum_over_tree(pid, lambda process: process.memory_info().rss)) or None


def read_cpu_clock(pid: int) -> CpuClock:
    """The three clocks now; subtract two readings to see who used the processor in between."""
    import psutil

    machine = psutil.cpu_times()
    idle_s = machine.idle + getattr(machine, "iowait", 0.0)
    counted_twice_s = getattr(machine, "guest", 0.0) + getattr(machine, "guest_nice", 0.0)  # part of user and nice
    return CpuClock(
        machine_s=sum(machine) - idle_s - counted_twice_s,
        tree_s=_sum_over_tree(pid, _busy_s),
        own_s=_busy_s(psutil.Process()),
    )


def _busy_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _sum_over_tree(pid: int, read: Callable[[psutil.Process], float]) -> float:
    """The sum over the process and its descendants; what ends meanwhile counts nothing."""
    import psutil

    total = 0.0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += read(process)
    except psutil.NoSuchProcess:
        pass
    return total
