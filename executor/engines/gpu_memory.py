"""GPU memory of a process and all it started, as the NVIDIA driver counts it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from planner.units import GIB


def gpu_memory_gib(pid: int, pynvml: ModuleType | None = None) -> float | None:
    """The sum over all GPUs, GiB; None without a driver, or where it does not tell (in a container it may not).

    `pynvml` stands in for the real module.
    """
    try:
        nvml: Any = pynvml or import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    try:
        used = _used_by(nvml)
    except nvml.NVMLError:
        return None
    finally:
        nvml.nvmlShutdown()
    found = [used[member] for member in _tree(pid) if used.get(member)]
    return sum(found) / GIB if found else None


def _used_by(nvml: Any) -> dict[int, int]:
    """Bytes by process, over all GPUs."""
    used: dict[int, int] = {}
    for index in range(nvml.nvmlDeviceGetCount()):
        for process in nvml.nvmlDeviceGetComputeRunningProcesses(nvml.nvmlDeviceGetHandleByIndex(index)):
            used[process.pid] = used.get(process.pid, 0) + (process.usedGpuMemory or 0)
    return used


def _tree(pid: int) -> list[int]:
    import psutil

    try:
        root = psutil.Process(pid)
        return [pid, *(child.pid for child in root.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []
