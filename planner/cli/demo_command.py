"""`quantplan demo`: the whole path on this machine, with the small model that ships with the executor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from planner.plan import Plan

INTRODUCTION = """\
The whole way once, for real: look at this machine, plan, quantize, launch, measure, compare, report.
The first time it builds llama.cpp (about five minutes on two cores) and an environment to convert models
(about one); both are kept, so later runs take a minute or two. Ctrl-C stops it and leaves nothing running;
what was finished is kept."""

THIS_CPU = "cpu"


@click.command(name="demo", short_help="The whole path on this machine with a small real model.")
@click.option("--input-tokens", default=128, show_default=True, help="Prompt tokens of each request.")
@click.option("--output-tokens", default=64, show_default=True, help="Generated tokens of each request.")
@click.option("--concurrency", default=4, show_default=True, help="Requests in flight at once.")
@click.option("--usd-per-hour", type=float, help="What this machine costs an hour (else: a list price of its like).")
@click.option("--json", "as_json", is_flag=True, help="Print only the finished run, as JSON (progress goes to stderr).")
def command(as_json: bool, **options: int | float | None) -> None:
    """Detect this machine, plan for a small real language model, carry the plan out, and compare it with reality."""
    from planner.cli.applying import apply_watched
    from planner.ports import find_executor

    model = find_executor().demo_model()
    if not as_json:
        _introduce()
    plan = _plan_for(str(model), options)
    if not as_json:
        _show(plan)
    apply_watched(plan, as_json=as_json)


def _introduce() -> None:
    from planner.cli.detect_view import print_machine
    from planner.cli.terminal import console
    from planner.hardware.detection import survey

    out = console()
    out.print(INTRODUCTION)
    out.print("\n[bold cyan]1  This machine[/]")
    machine = survey()
    print_machine(out, machine, None, None)
    if machine.driver.gpus:
        out.print("The demonstration leaves the GPUs aside: it serves its small model on the CPU, with llama.cpp.")


def _plan_for(model: str, options: dict[str, int | float | None]) -> Plan:
    from planner.asking import request_from
    from planner.planning import make_plan

    return make_plan(request_from({"model": model, "hardware": THIS_CPU, **options}))


def _show(plan: Plan) -> None:
    from planner.cli.plan_view import print_plan
    from planner.cli.terminal import console

    out = console()
    out.print("\n[bold cyan]2  The plan: what, why, how much memory, how fast, at what cost[/]")
    print_plan(plan, out)
    out.print("\n[bold cyan]3  Carrying it out[/]")
