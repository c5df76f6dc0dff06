"""From readings to a `Hardware`: rates from the catalogue, memory and links as the driver reports them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from planner.errors import BadInput
from planner.hardware.catalogue import find_accelerator, similar_names
from planner.hardware.hardware import Accelerator, Cpu, Hardware
from planner.hardware.nvml import DriverReading, GpuReading, MigSlice
from planner.units import GB, GIB

NOTEWORTHY = 0.1  # share by which a card's memory may differ from the catalogue's before it is remarked on


@dataclass(frozen=True, slots=True)
class Machine:
    """What was read of a machine, before it is judged: the driver's GPUs, the CPU and its free memory (GiB)."""

    driver: DriverReading
    cpu: Cpu
    free_host_gib: float


def judge(machine: Machine) -> Hardware:
    """The `Hardware` a machine amounts to: its largest group of equal GPUs, or the CPU where there is none.

    BadInput for a GPU that is not in the catalogue: only its memory and bandwidth can be read, not its rates.
    """
    if not machine.driver.gpus:
        return cpu_host(machine.cpu, machine.free_host_gib, _why_no_gpu(machine.driver))
    group, others = _largest_group(machine.driver.gpus)
    gpu = _accelerator(group, machine)
    free = [g.free_memory_gib if g.free_memory_gib is not None else machine.free_host_gib for g in group]
    return Hardware(
        label=f"{len(group)}x{gpu.name}",
        accelerator=gpu,
        count=len(group),
        cpu=machine.cpu,
        detected=True,
        free_memory_gib=min(free),
        notes=(*_left_aside(group, others), *_differences(group[0], gpu)),
    )


def cpu_host(cpu: Cpu, free_gib: float, notes: tuple[str, ...] = ()) -> Hardware:
    """This machine's CPU as the hardware."""
    return Hardware(label="cpu", cpu=cpu, detected=True, free_memory_gib=free_gib, notes=notes)


def _why_no_gpu(driver: DriverReading) -> tuple[str, ...]:
    if driver.absence is None:
        return ()
    return (f"no GPU: {driver.absence}; AMD, Intel and Apple GPUs are not detected, declare them: --on 1xMI300X",)


def _largest_group(gpus: Sequence[GpuReading]) -> tuple[list[GpuReading], list[GpuReading]]:
    """The GPUs of one kind that have the most memory together, and the rest."""
    kinds: dict[tuple[str, str], list[GpuReading]] = {}
    for gpu in gpus:
        kinds.setdefault(_kind(gpu), []).append(gpu)
    largest = max(kinds.values(), key=lambda group: sum(g.memory_gib or 0 for g in group))
    return largest, [gpu for gpu in gpus if gpu not in largest]


def _kind(gpu: GpuReading) -> tuple[str, str]:
    return gpu.name, gpu.mig.profile if gpu.mig else ""


def _left_aside(group: Sequence[GpuReading], others: Sequence[GpuReading]) -> tuple[str, ...]:
    if not others:
        return ()
    names = ", ".join(sorted({" ".join(filter(None, _kind(gpu))) for gpu in others}))
    return (f"mixed GPUs: of the equal ones, these {len(group)} have the most memory; left aside: {names}",)


def _differences(reading: GpuReading, gpu: Accelerator) -> tuple[str, ...]:
    """What an architect should know: memory unlike the catalogue's, a MIG slice, ECC switched off."""
    known = find_accelerator(reading.name)
    notes = []
    if known and not reading.mig and abs(gpu.memory_gib / known.memory_gib - 1) > NOTEWORTHY:
        notes.append(
            f"the driver reports {gpu.memory_gib:.1f} GiB where {known.name} has {known.memory_gib:.1f}:"
            " its other figures are the catalogue's"
        )
    if reading.mig:
        notes.append("a MIG slice: bandwidth by its share of memory, rates by its share of multiprocessors")
    return tuple(notes)


def _accelerator(group: Sequence[GpuReading], machine: Machine) -> Accelerator:
    """The catalogue's rates with the driver's memory and links; a MIG slice gets its share."""
    reading = group[0]
    known = find_accelerator(reading.name)
    if known is None:
        raise _not_in_catalogue(reading)
    if reading.memory_gib is None:
        memory_gib, memory_source = machine.cpu.memory_gib, "measured: the host's memory, which it shares"
    else:
        memory_gib, memory_source = reading.memory_gib, f"measured: NVIDIA driver {machine.driver.driver_version}"
    found = replace(_linked(known, group), memory_gib=memory_gib, memory_source=memory_source)
    return _slice_of(found, reading.mig) if reading.mig else found


def _linked(known: Accelerator, group: Sequence[GpuReading]) -> Accelerator:
    """An NVLink card whose links are down among several talks over PCIe: 2 directions x lanes x GB/s of a lane."""
    reading = group[0]
    if known.interconnect != "nvlink" or len(group) == 1 or reading.nvlinks:
        return known
    generation, lanes = reading.pcie_generation, reading.pcie_width
    link_gb_s = 2.0 * lanes * 2.0 ** (generation - 3) if generation and lanes else None
    return replace(known, interconnect="pcie", link_gb_s=link_gb_s)


def _slice_of(gpu: Accelerator, mig: MigSlice) -> Accelerator:
    """Memory and bandwidth by the share of memory, rates by the share of multiprocessors (NVIDIA MIG user guide)."""

    def share(rate: float | None) -> float | None:
        return None if rate is None else rate * mig.compute_fraction

    return replace(
        gpu,
        name=f"{gpu.name}-MIG-{mig.profile}",
        memory_gb=gpu.memory_gb * mig.memory_fraction,
        bandwidth_gb_s=gpu.bandwidth_gb_s * mig.memory_fraction,
        fp16_tflops=gpu.fp16_tflops * mig.compute_fraction,
        fp8_tflops=share(gpu.fp8_tflops),
        int8_tops=share(gpu.int8_tops),
        fp4_tflops=share(gpu.fp4_tflops),
        interconnect="pcie",
        link_gb_s=None,
    )


def _not_in_catalogue(reading: GpuReading) -> BadInput:
    return BadInput(
        f"this machine's {reading.name!r} is not in the catalogue: its matrix rates are unknown",
        nearest=similar_names(reading.name),
        fix=f"write this to my-gpu.yaml, fill in the ?, and plan `--on ./my-gpu.yaml`:\n{gpu_file_to_fill_in(reading)}",
    )


def gpu_file_to_fill_in(reading: GpuReading) -> str:
    """A GPU file with what the driver says of this GPU, and `?` for what it does not."""
    memory_gb = round(reading.memory_gib * GIB / GB) if reading.memory_gib else "?"
    lines = {
        "name": reading.name.replace(" ", "-"),
        "vendor": "nvidia",
        "architecture": "?",
        "memory_gb": memory_gb,
        "memory_gib": round(reading.memory_gib, 2) if reading.memory_gib else "?",
        "bandwidth_gb_s": round(reading.bandwidth_gb_s) if reading.bandwidth_gb_s else "?",
        "fp16_tflops": "?",
        "compute_capability": reading.compute_capability or "?",
        "source": "driver and ?",
    }
    return "\n".join(f"  {key}: {value}" for key, value in lines.items())
