"""The hardware of this machine: what the driver and the operating system say, read once and then judged."""

from __future__ import annotations

from types import ModuleType

from planner.hardware.cpu import free_memory_gib, measured_cpu, read_cpu
from planner.hardware.hardware import Hardware
from planner.hardware.judging import Machine, cpu_host, judge
from planner.hardware.nvml import read_driver


def survey(*, pynvml: ModuleType | None = None, refresh: bool = False) -> Machine:
    """Read driver and CPU. `pynvml` stands in for the real module; `refresh` measures the CPU again.

    The CPU is measured (1-2 s, then cached) where it would serve the model itself: when there is no GPU.
    """
    driver = read_driver(pynvml)
    cpu = read_cpu() if driver.gpus and not refresh else measured_cpu(refresh=refresh)
    return Machine(driver, cpu, free_memory_gib())


def detect(*, pynvml: ModuleType | None = None, refresh: bool = False) -> Hardware:
    """The hardware of this machine. BadInput names a GPU that is not in the catalogue and how to describe it."""
    return judge(survey(pynvml=pynvml, refresh=refresh))


def detect_cpu_only() -> Hardware:
    """The CPU of this machine, its GPUs left aside."""
    return cpu_host(measured_cpu(), free_memory_gib())
