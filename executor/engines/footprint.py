"""Memory and processor time of a process and all it started, as the operating system counts them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CpuClock:
    """Processor seconds used so far: by the whole machine, by one process tree, and by this process."""

    machine_s: float
    tree_s: float
    own_s: float


def resident_bytes(pid: int) -> int | None:
    """Resident memory of the process tree, mapped files included; None when it is gone."""
    sizes = [process.memory_info().rss for process in _tree(pid)]
    return sum(sizes) if sizes else None


def read_cpu_clock(pid: int) -> CpuClock:
    """The three clocks now; subtract two readings to see who used the processor in between."""
    import psutil

    machine = psutil.cpu_times()
    idle = machine.idle + getattr(machine, "iowait", 0.0)
    tree = sum(times.user + times.system for times in (process.cpu_times() for process in _tree(pid)))
    own = psutil.Process().cpu_times()
    return CpuClock(sum(machine[:8]) - idle, tree, own.user + own.system)


def _tree(pid: int):  # type: ignore[no-untyped-def]
    import psutil

    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
