"""What NVIDIA's driver says of each GPU, through the `pynvml` module (package nvidia-ml-py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from planner.units import GB, GIB

TRANSFERS_PER_CLOCK = 2  # every GDDR and HBM memory moves data on both edges of the clock NVML reports


@dataclass(frozen=True, slots=True)
class MigSlice:
    """The part of a GPU a MIG instance owns, as fractions of the whole."""

    profile: str
    memory_fraction: float
    compute_fraction: float


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One GPU, or one MIG slice, as the driver describes it now. None: the driver does not say.

    `memory_gib` is what a process can see (physical memory less the driver's reserve). `nvlinks` counts active links.
    """

    index: int
    name: str
    memory_gib: float | None
    free_memory_gib: float | None
    compute_capability: float | None = None
    nvlinks: int = 0
    pcie_generation: int | None = None
    pcie_width: int | None = None
    ecc_enabled: bool | None = None
    bandwidth_gb_s: float | None = None
    power_limit_watts: float | None = None
    mig: MigSlice | None = None


@dataclass(frozen=True, slots=True)
class DriverReading:
    """All GPUs of this machine and the driver's version; `absence` says why there are none."""

    gpus: tuple[GpuReading, ...] = ()
    driver_version: str | None = None
    absence: str | None = None


def read_driver(pynvml: ModuleType | None = None) -> DriverReading:
    """Ask the driver once. Without the module, a driver or a GPU the reading is empty and says why."""
    nvml: Any = pynvml or _installed_pynvml()
    if nvml is None:
        return DriverReading(absence="pynvml is not installed (pip install 'quantplan[nvidia]')")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return DriverReading(absence=f"no NVIDIA driver ({error})")
    try:
        gpus = [gpu for index in range(nvml.nvmlDeviceGetCount()) for gpu in _read_device(nvml, index)]
        version = _ask(nvml, nvml.nvmlSystemGetDriverVersion)
        return DriverReading(tuple(gpus), _text(version), None if gpus else "the NVIDIA driver sees no GPU")
    except nvml.NVMLError as error:
        return DriverReading(absence=f"the NVIDIA driver failed ({error})")
    finally:
        nvml.nvmlShutdown()


def _installed_pynvml() -> ModuleType | None:
    try:
        return import_module("pynvml")
    except ImportError:
        return None


def _read_device(nvml: Any, index: int) -> list[GpuReading]:
    """The GPU, or its MIG slices when it is partitioned."""
    device = nvml.nvmlDeviceGetHandleByIndex(index)
    memory_gib, free_gib = _memory(nvml, device)
    capability = _ask(nvml, nvml.nvmlDeviceGetCudaComputeCapability, device)
    ecc = _ask(nvml, nvml.nvmlDeviceGetEccMode, device)
    whole = GpuReading(
        index=index,
        name=_text(nvml.nvmlDeviceGetName(device)) or "unknown",
        memory_gib=memory_gib,
        free_memory_gib=free_gib,
        compute_capability=float(f"{capability[0]}.{capability[1]}") if capability else None,
        nvlinks=_active_nvlinks(nvml, device),
        pcie_generation=_ask(nvml, nvml.nvmlDeviceGetMaxPcieLinkGeneration, device),
        pcie_width=_ask(nvml, nvml.nvmlDeviceGetMaxPcieLinkWidth, device),
        ecc_enabled=bool(ecc[0]) if ecc else None,
        bandwidth_gb_s=_bandwidth(nvml, device),
        power_limit_watts=_watts(_ask(nvml, nvml.nvmlDeviceGetPowerManagementDefaultLimit, device)),
    )
    mode = _ask(nvml, nvml.nvmlDeviceGetMigMode, device)
    return _slices(nvml, device, whole) if mode and mode[0] else [whole]


def _slices(nvml: Any, device: Any, whole: GpuReading) -> list[GpuReading]:
    """The MIG instances of a partitioned GPU: each owns a fraction of memory, bandwidth and multiprocessors."""
    most = nvml.nvmlDeviceGetMaxMigDeviceCount(device)
    handles = (_ask(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex, device, i) for i in range(most))
    return [_slice(nvml, handle, most, whole) for handle in handles if handle is not None]


def _slice(nvml: Any, handle: Any, most: int, whole: GpuReading) -> GpuReading:
    memory_gib, free_gib = _memory(nvml, handle)
    attributes = nvml.nvmlDeviceGetAttributes(handle)
    fraction = memory_gib / whole.memory_gib if memory_gib and whole.memory_gib else 1.0
    compute = attributes.gpuInstanceSliceCount / most
    return GpuReading(
        index=whole.index,
        name=whole.name,
        memory_gib=memory_gib,
        free_memory_gib=free_gib,
        compute_capability=whole.compute_capability,
        pcie_generation=whole.pcie_generation,
        pcie_width=whole.pcie_width,
        ecc_enabled=whole.ecc_enabled,
        bandwidth_gb_s=whole.bandwidth_gb_s * fraction if whole.bandwidth_gb_s else None,
        mig=MigSlice(f"{attributes.gpuInstanceSliceCount}g.{memory_gib or 0:.0f}gib", fraction, compute),
    )


def _memory(nvml: Any, device: Any) -> tuple[float | None, float | None]:
    """Total a process can see, and what is free, in GiB. Old drivers do not separate their reserve: then all of it."""
    memory = _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, device, nvml.nvmlMemory_v2)
    reserved = memory.reserved if memory else 0
    memory = memory or _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, device)
    if memory is None:
        return None, None
    return (memory.total - reserved) / GIB, memory.free / GIB


def _bandwidth(nvml: Any, device: Any) -> float | None:
    """Peak = memory clock x transfers per clock x bus width."""
    clock_mhz = _ask(nvml, nvml.nvmlDeviceGetMaxClockInfo, device, nvml.NVML_CLOCK_MEM)
    bus_bits = _ask(nvml, nvml.nvmlDeviceGetMemoryBusWidth, device)
    if not clock_mhz or not bus_bits:
        return None
    return float(clock_mhz * 1e6 * TRANSFERS_PER_CLOCK * bus_bits / 8 / GB)


def _active_nvlinks(nvml: Any, device: Any) -> int:
    states = (_ask(nvml, nvml.nvmlDeviceGetNvLinkState, device, link) for link in range(nvml.NVML_NVLINK_MAX_LINKS))
    return sum(1 for state in states if state)


def _ask(nvml: Any, question: Callable[..., Any], *arguments: Any) -> Any:
    """The driver's answer, or None where this GPU or driver has none."""
    try:
        return question(*arguments)
    except nvml.NVMLError:
        return None


def _watts(milliwatts: int | None) -> float | None:
    return milliwatts / 1000 if milliwatts else None


def _text(value: Any) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
