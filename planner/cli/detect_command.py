"""`quantplan detect`: this machine's GPUs and CPU, and the catalogue of known accelerators."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from planner.errors import BadInput

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from planner.hardware.hardware import Cpu, Hardware
    from planner.hardware.judging import Machine
    from planner.hardware.nvml import GpuReading


@click.command("detect", short_help="Show the hardware of this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.option("--refresh", is_flag=True, help="Measure the CPU again (1-2 s) instead of using the cached figures.")
@click.option("--catalogue", is_flag=True, help="List the accelerators known by name instead.")
def command(as_json: bool, refresh: bool, catalogue: bool) -> None:
    """Show what `--on here` would plan for: GPUs as the driver reports them, and the CPU with its measured rates."""
    if catalogue:
        _show_catalogue(as_json)
    else:
        _show_machine(as_json, refresh)


def _show_machine(as_json: bool, refresh: bool) -> None:
    from planner.hardware.detection import survey
    from planner.hardware.judging import judge

    machine = survey(refresh=refresh)
    hardware, problem = None, None
    try:
        hardware = judge(machine)
    except BadInput as error:
        problem = error
    if as_json:
        click.echo(json.dumps(_machine_as_json(machine, hardware, problem), indent=2))
    else:
        _print_machine(machine, hardware, problem)


def _machine_as_json(machine: Machine, hardware: Hardware | None, problem: BadInput | None) -> dict[str, Any]:
    return {
        "hardware": asdict(hardware) if hardware else None,
        "problem": str(problem) if problem else None,
        "driver": asdict(machine.driver),
        "cpu": asdict(machine.cpu),
        "free_host_gib": machine.free_host_gib,
    }


def _print_machine(machine: Machine, hardware: Hardware | None, problem: BadInput | None) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if machine.driver.gpus:
        console.print(_gpu_table(machine))
    console.print(_cpu_table(machine.cpu, machine.free_host_gib))
    for note in hardware.notes if hardware else ():
        console.print(f"[dim]note:[/] {note}")
    if problem:
        console.print(f"[yellow]cannot plan for it yet:[/] {problem}")
    if hardware:
        _print_how_to_go_on(console, hardware)


def _print_how_to_go_on(console: Console, hardware: Hardware) -> None:
    console.print(f"\n[bold]{hardware.label}[/], {hardware.memory_gib:.1f} GiB for a model in all")
    console.print("next: [cyan]quantplan plan MODEL --on here[/]")


def _gpu_table(machine: Machine) -> Table:
    from rich.table import Table

    table = Table(title=f"GPUs (NVIDIA driver {machine.driver.driver_version})", title_justify="left")
    for heading in ("#", "name", "memory GiB", "free GiB", "peak GB/s", "capability", "links", "ECC", "MIG"):
        table.add_column(heading, justify="right" if heading.endswith(("GiB", "GB/s")) else "left")
    for gpu in machine.driver.gpus:
        table.add_row(*_gpu_row(gpu))
    return table


def _gpu_row(gpu: GpuReading) -> tuple[str, ...]:
    return (
        str(gpu.index),
        gpu.name,
        _figure(gpu.memory_gib),
        _figure(gpu.free_memory_gib),
        _figure(gpu.bandwidth_gb_s, 0),
        _figure(gpu.compute_capability),
        _links(gpu),
        {True: "on", False: "off", None: "-"}[gpu.ecc_enabled],
        gpu.mig.profile if gpu.mig else "-",
    )


def _links(gpu: GpuReading) -> str:
    pcie = f"PCIe {gpu.pcie_generation} x{gpu.pcie_width}" if gpu.pcie_generation else "PCIe unknown"
    return f"{gpu.nvlinks} NVLinks, {pcie}" if gpu.nvlinks else pcie


def _cpu_table(cpu: Cpu, free_gib: float) -> Table:
    from rich.table import Table

    table = Table(title="CPU", title_justify="left", show_header=False)
    table.add_column(style="dim")
    table.add_column()
    table.add_row("name", cpu.name)
    table.add_row("cores usable here", str(cpu.cores))
    table.add_row("memory usable here", f"{cpu.memory_gib:.1f} GiB ({free_gib:.1f} GiB free now)")
    table.add_row("instruction sets", " ".join(cpu.instruction_sets) or "none recognised")
    table.add_row("memory bandwidth", _rate(cpu.bandwidth_gb_s, "GB/s"))
    table.add_row("matrix rate (FP32)", _rate(cpu.matmul_gflops, "GFLOPS"))
    if cpu.measured_by:
        table.add_row("measured", f"{cpu.measured_on}: {cpu.measured_by} (again: --refresh)")
    return table


def _rate(value: float | None, unit: str) -> str:
    return f"{value:.1f} {unit}" if value is not None else "not measured (--refresh measures it)"


def _figure(value: float | None, digits: int = 1) -> str:
    return "?" if value is None else f"{value:.{digits}f}"


def _show_catalogue(as_json: bool) -> None:
    from planner.hardware.catalogue import known_accelerators

    if as_json:
        click.echo(json.dumps([asdict(gpu) for gpu in known_accelerators()], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title="Accelerators known by name (figures dense; --json adds sources and notes)", title_justify="left"
    )
    for heading in ("name", "memory GiB", "GB/s", "FP16 TFLOPS", "FP8", "FP4", "capability", "link", "watts"):
        table.add_column(heading, justify="left" if heading in ("name", "link") else "right")
    for gpu in known_accelerators():
        figures = (gpu.fp8_tflops, gpu.fp4_tflops)
        table.add_row(
            gpu.name,
            f"{gpu.memory_gib:.1f}",
            f"{gpu.bandwidth_gb_s:.0f}",
            f"{gpu.fp16_tflops:g}",
            *("-" if figure is None else f"{figure:g}" for figure in figures),
            "-" if gpu.compute_capability is None else f"{gpu.compute_capability}",
            gpu.interconnect,
            "-" if gpu.tdp_watts is None else f"{gpu.tdp_watts:g}",
        )
    Console(highlight=False).print(table)
