"""GPU memory of a process tree, from a driver that stands in for NVIDIA's."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

from executor.engines.gpu_memory import gpu_memory_gib
from planner.units import GIB


class FakeDriver:
    """Two GPUs; `processes` are (pid, bytes or None) on each."""

    class NVMLError(Exception):
        pass

    def __init__(self, *processes: list[tuple[int, int | None]], broken: bool = False) -> None:
        self.processes, self.broken = processes, broken

    def nvmlInit(self) -> None:
        if self.broken:
            raise self.NVMLError("Driver Not Loaded")

    def nvmlShutdown(self) -> None:
        pass

    def nvmlDeviceGetCount(self) -> int:
        return len(self.processes)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in self.processes[handle]]


def test_a_server_and_its_workers_add_up_over_all_gpus() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker:
        driver = FakeDriver([(os.getpid(), GIB), (worker.pid, 2 * GIB), (1, 50 * GIB)], [(worker.pid, 3 * GIB)])
        assert gpu_memory_gib(os.getpid(), driver) == 6.0
        assert worker.stdin is not None
        worker.stdin.close()


def test_what_the_driver_does_not_tell_is_unknown() -> None:
    assert gpu_memory_gib(os.getpid(), FakeDriver(broken=True)) is None
    assert gpu_memory_gib(os.getpid(), FakeDriver([(os.getpid(), None)])) is None
    assert gpu_memory_gib(os.getpid(), FakeDriver([(1, GIB)])) is None
