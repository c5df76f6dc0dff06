"""`quantplan detect`: this machine's GPUs and CPU, or the catalogue of known accelerators."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from planner.errors import BadInput

if TYPE_CHECKING:
    from planner.hardware.hardware import Hardware
    from planner.hardware.judging import Machine


@click.command("detect", short_help="Show the hardware of this machine.")
@click.option("--refresh", is_flag=True, help="Measure the CPU again (1-2 s) instead of using the cached figures.")
@click.option("--catalogue", is_flag=True, help="List the accelerators known by name instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def command(refresh: bool, catalogue: bool, as_json: bool) -> None:
    """Show what `--on here` plans for: GPUs as the driver reports them, and the CPU with its measured rates."""
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
        click.echo(json.dumps(_as_json(machine, hardware, problem), indent=2))
        return
    from planner.cli.detect_view import print_machine
    from planner.cli.terminal import console

    print_machine(console(), machine, hardware, problem)


def _as_json(machine: Machine, hardware: Hardware | None, problem: BadInput | None) -> dict[str, Any]:
    return {
        "hardware": asdict(hardware) if hardware else None,
        "problem": str(problem) if problem else None,
        "driver": asdict(machine.driver),
        "cpu": asdict(machine.cpu),
        "free_host_gib": machine.free_host_gib,
    }


def _show_catalogue(as_json: bool) -> None:
    from planner.hardware.catalogue import known_accelerators

    if as_json:
        click.echo(json.dumps([asdict(gpu) for gpu in known_accelerators()], indent=2))
        return
    from planner.cli.detect_view import print_catalogue
    from planner.cli.terminal import console

    print_catalogue(console(), known_accelerators())
