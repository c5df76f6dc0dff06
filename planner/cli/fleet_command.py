"""`quantplan fleet`: one model or several on a cluster: how many copies of what, on which nodes, at what cost."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.cli.simulate_options import requests_per_s

if TYPE_CHECKING:
    from planner.fleet.answering import FleetPlan
    from planner.fleet.fleet import Fleet

NOT_ALL_SERVED = 3


@click.command(name="fleet", short_help="Place models on a cluster: which copies where, at what cost.")
@click.argument("fleet_or_model")
@click.option("--cluster", "cluster_file", required=True, type=click.Path(path_type=Path), help="The cluster file.")
@click.option("--rate", help="For one model: its load at the peak (20/s, 300/min).")
@click.option("--input-tokens", type=click.IntRange(min=1), default=1000, help="For one model (1000).")
@click.option("--output-tokens", type=click.IntRange(min=1), default=300, help="For one model (300).")
@click.option("--ttft-ms", type=click.FloatRange(min=0, min_open=True), help="For one model: target.")
@click.option("--tpot-ms", type=click.FloatRange(min=0, min_open=True), help="For one model: target.")
@click.option("--percentile", type=click.Choice(["50", "95", "99"]),
              help="For one model: so many of 100 requests keep the targets (means).")  # fmt: skip
@click.option("--loss", type=click.Choice(["none", "almost-none", "some"]), default="almost-none",
              help="For one model: what quantizing may cost in quality.")  # fmt: skip
@click.option("--spare-nodes", type=click.IntRange(min=0), help="Nodes of each kind in use kept empty (1).")
@click.option("--objective", type=click.Choice(["cost", "gpus"]), help="Least USD an hour, or fewest accelerators.")
@click.option("--time-limit-s", type=click.FloatRange(min=0, min_open=True), help="The solver stops here (5).")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write a plan file for each model here.")
@click.option("--all", "everything", is_flag=True, help="Show all nodes.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def command(
    fleet_or_model: str,
    cluster_file: Path,
    rate: str | None,
    input_tokens: int,
    output_tokens: int,
    ttft_ms: float | None,
    tpot_ms: float | None,
    percentile: str | None,
    loss: str,
    spare_nodes: int | None,
    objective: str | None,
    time_limit_s: float | None,
    out: Path | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Place FLEET_OR_MODEL (a fleet file, or one model with --rate) on the nodes of --cluster.

    The cheapest packing that serves every load within its targets, with spare nodes for a failed one. Exit code 3 where
    not everything fits: what is short, by how much, and the nearest fix are told.
    """
    from planner.clusters.reading import read_cluster
    from planner.fleet.answering import plan_fleet
    from planner.fleet.packing import Limits

    asked = {"spare_nodes": spare_nodes, "objective": objective}
    one = {"input_tokens": input_tokens, "output_tokens": output_tokens, "ttft_ms": ttft_ms, "tpot_ms": tpot_ms}
    held_to = int(percentile) if percentile else None
    fleet = _fleet(fleet_or_model, rate, {**one, "percentile": held_to, "loss": loss})
    fleet = fleet.model_copy(update={name: value for name, value in asked.items() if value is not None})
    limits = Limits() if time_limit_s is None else Limits(time_limit_s=time_limit_s)
    answer = plan_fleet(read_cluster(cluster_file), fleet, limits=limits)
    written = _written(answer, out)
    if as_json:
        from planner.fleet.writing import as_json as content

        click.echo(json.dumps({**content(answer), "plans": [str(path) for path in written]}, indent=2))
    else:
        _print(answer, written, everything)
    if answer.short:
        sys.exit(NOT_ALL_SERVED)


def _fleet(named: str, rate: str | None, one: dict[str, object]) -> Fleet:
    from planner.fleet.fleet import Fleet, ServedModel, read_fleet

    if rate is None:
        return read_fleet(Path(named))
    served = ServedModel.model_validate({"model": named, "requests_per_s": requests_per_s(rate), **one})
    return Fleet(models=(served,))


def _written(answer: FleetPlan, out: Path | None) -> tuple[Path, ...]:
    from planner.fleet.plans import write_plans

    return write_plans(answer, out) if out else ()


def _print(answer: FleetPlan, written: tuple[Path, ...], everything: bool) -> None:
    from planner.cli.fleet_view import print_fleet
    from planner.cli.terminal import console

    print_fleet(answer, console(), everything=everything)
    for path in written:
        click.echo(f"Written to {path}. Carry it out: quantplan apply {path}")
