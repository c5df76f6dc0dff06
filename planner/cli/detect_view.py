"""This machine's hardware, and the catalogue, as a person reads them in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from planner.errors import BadInput
from planner.figures import figure
from planner.hardware.hardware import Accelerator, Cpu, Hardware
from planner.hardware.judging import Machine
from planner.hardware.nvml import GpuReading

GPU_HEADINGS = ("#", "name", "GiB", "free", "GB/s", "capability", "links", "ECC", "MIG")
CATALOGUE_HEADINGS = ("name", "GiB", "GB/s", "FP16", "FP8", "INT8", "FP4", "capability", "link", "watts")


def print_machine(console: Console, machine: Machine, hardware: Hardware | None, problem: BadInput | None) -> None:
    """What was found, what is remarkable about it, and how to go on."""
    if machine.driver.gpus:
        _section(console, f"GPUs (NVIDIA driver {machine.driver.driver_version})", _gpus(machine.driver.gpus))
    _section(console, "CPU", _cpu(machine.cpu, machine.free_host_gib))
    for note in hardware.notes if hardware else ():
        console.print(Text(f"- {note}", style="dim"))
    if hardware:
        console.print(f"\n[bold green]{hardware.label}[/]: {hardware.memory_gib:.1f} GiB for a model in all")
        console.print("Plan for it: quantplan plan MODEL --on here")
    if problem:
        console.print(Text(f"It cannot be planned for yet: {problem}", style="yellow"))


def print_catalogue(console: Console, accelerators: Sequence[Accelerator]) -> None:
    """Every accelerator known by name: memory an engine sees, and dense rates (TFLOPS, INT8 in TOPS)."""
    table = _table(CATALOGUE_HEADINGS, left=("name", "link"))
    for gpu in accelerators:
        rates = (gpu.fp16_tflops, gpu.fp8_tflops, gpu.int8_tops, gpu.fp4_tflops)
        capability = "-" if gpu.compute_capability is None else str(gpu.compute_capability)
        row = (f"{gpu.memory_gib:.1f}", figure(gpu.bandwidth_gb_s), *map(figure, rates), capability, gpu.interconnect)
        table.add_row(gpu.name, *row, figure(gpu.tdp_watts))
    console.print(table)
    console.print(f"{len(accelerators)} accelerators; rates are dense; --json adds every source and note.")


def _section(console: Console, title: str, body: Table) -> None:
    console.print(f"[bold]{title}[/]")
    console.print(Padding(body, (0, 0, 1, 2)))


def _table(headings: Sequence[str], left: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in left else "right", no_wrap=True)
    return table


def _gpus(gpus: Sequence[GpuReading]) -> Table:
    table = _table(GPU_HEADINGS, left=("name", "links", "ECC", "MIG"))
    for gpu in gpus:
        memory, free = (f"{gib:.1f}" if gib is not None else "shared" for gib in (gpu.memory_gib, gpu.free_memory_gib))
        ecc = {True: "on", False: "off", None: "-"}[gpu.ecc_enabled]
        capability = str(gpu.compute_capability or "-")
        mig = gpu.mig.profile if gpu.mig else "-"
        table.add_row(
            str(gpu.index), gpu.name, memory, free, figure(gpu.bandwidth_gb_s), capability, _links(gpu), ecc, mig
        )
    return table


def _links(gpu: GpuReading) -> str:
    pcie = f"PCIe {gpu.pcie_generation} x{gpu.pcie_width}" if gpu.pcie_generation else "PCIe"
    return f"NVLink x{gpu.nvlinks}, {pcie}" if gpu.nvlinks else pcie


def _cpu(cpu: Cpu, free_gib: float) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("name", cpu.name)
    table.add_row("cores", f"{cpu.cores} usable here")
    table.add_row("memory", f"{cpu.memory_gib:.1f} GiB usable here, {free_gib:.1f} GiB free now")
    table.add_row("instruction sets", " ".join(cpu.instruction_sets) or "none recognised")
    table.add_row("memory bandwidth", _rate(cpu.bandwidth_gb_s, "GB/s"))
    table.add_row("matrix rate, FP32", _rate(cpu.matmul_gflops, "GFLOPS"))
    if cpu.measured_by:
        table.add_row("measured", f"{cpu.measured_on}: {cpu.measured_by} (--refresh measures again)")
    return table


def _rate(value: float | None, unit: str) -> str:
    return f"{figure(value)} {unit}" if value is not None else "unknown (--refresh measures it)"
