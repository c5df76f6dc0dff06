"""The nouns of hardware: one accelerator type, one CPU, and the machine the question is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Vendor = Literal["nvidia", "amd", "intel", "apple", "other"]
Interconnect = Literal["nvlink", "infinity-fabric", "xe-link", "ethernet", "pcie", "unified", "unknown"]


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One accelerator type. Rates are dense (no sparsity). None means: it has no such unit, or the figure is unknown.

    `memory_gb` is the sticker; `memory_gib` is the total an engine sees (what firmware, driver and ECC leave of it);
    `memory_source` says whether that was measured or estimated. `note` tells where sources disagree and what was taken.
    `compute_capability` exists for NVIDIA only. `link_gb_s` is the bidirectional total per accelerator.
    """

    name: str
    vendor: Vendor
    architecture: str
    memory_gb: float
    memory_gib: float
    bandwidth_gb_s: float
    fp16_tflops: float
    source: str
    compute_capability: float | None = None
    fp8_tflops: float | None = None
    int8_tops: float | None = None
    fp4_tflops: float | None = None
    interconnect: Interconnect = "unknown"
    link_gb_s: float | None = None
    tdp_watts: float | None = None
    unified_memory: bool = False
    memory_source: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cpu:
    """One CPU host: what a process here may use of it. `cores` counts hardware threads; 0 when not declared.

    Read bandwidth and matmul rate (all cores) come from the micro-benchmark, and `measured_by` says how; None when
    declared or not measured.
    """

    name: str
    cores: int
    memory_gib: float
    instruction_sets: tuple[str, ...] = ()
    bandwidth_gb_s: float | None = None
    matmul_gflops: float | None = None
    measured_on: str | None = None
    measured_by: str | None = None


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the question is about: `count` accelerators of one type, or a CPU alone (`accelerator` is None).

    `free_memory_gib` is per accelerator and known only when detected. `label` is how people read it back (`2xL40S`).
    """

    label: str
    accelerator: Accelerator | None = None
    count: int = 0
    cpu: Cpu | None = None
    detected: bool = False
    free_memory_gib: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def memory_gib(self) -> float:
        """Memory a model may be placed in: all accelerators together, or the CPU's."""
        if self.accelerator is not None:
            return self.accelerator.memory_gib * self.count
        return self.cpu.memory_gib if self.cpu is not None else 0.0
