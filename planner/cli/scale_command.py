"""`quantplan scale`: a day of traffic on a plan's copies, or on a whole fleet: cost, who is served in time, tails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.simulate_options import requests_per_s

if TYPE_CHECKING:
    from planner.scale.answering import Question, Simulated
    from planner.scale.trace import Trace

POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command(name="scale", short_help="Simulate a day: autoscaling, spot reclaim, failures; cost and tails.")
@click.argument("plan_or_fleet", type=click.Path(path_type=Path))
@click.option("--cluster", "cluster_file", type=click.Path(path_type=Path), help="For a fleet file: its cluster.")
@click.option("--load", type=POSITIVE, default=1.0, help="For a fleet: its busiest seconds over the planned load (1).")
@click.option("--peak", help="A drawn day, without its bursts at most this (50/s).")
@click.option("--trace", "trace_file", type=click.Path(path_type=Path), metavar="CSV",
              help="Or a real one: second,requests_per_s a line.")  # fmt: skip
@click.option("--least", type=click.IntRange(min=1), default=1, help="Copies that always run (1).")
@click.option("--most", type=click.IntRange(min=1), help="Copies at most (what the peak takes).")
@click.option("--always-on", is_flag=True, help="The most copies run all day.")
@click.option("--target-busy-share", type=click.FloatRange(0, 1, min_open=True), help="Of the autoscaler (0.7).")
@click.option("--start-s", type=click.FloatRange(min=0), help="Seconds a copy takes to start (the plan's).")
@click.option("--length-spread", type=click.FloatRange(0, 5), default=0.5, help="Of lengths: deviation / mean (0.5).")
@click.option("--ttft-ms", type=POSITIVE, help="Target (the plan's).")
@click.option("--tpot-ms", type=POSITIVE, help="Target (the plan's).")
@click.option("--gpus-per-node", type=click.IntRange(min=1), help="Copies on one machine fail together (the plan's).")
@click.option("--gpu-mtbf-hours", type=POSITIVE, help="Mean time between failures of one accelerator (50,700).")
@click.option("--spot-share", type=click.FloatRange(0, 1), default=0.0, help="Part of the copies rented on spot (0).")
@click.option("--spot-usd-per-hour", type=POSITIVE, help="Spot price of one accelerator (the price table's).")
@click.option("--reclaims-per-hour", type=click.FloatRange(min=0), default=0.0, help="Of one spot copy (0).")
@click.option("--node-s", type=click.FloatRange(min=0), default=0.0, help="Seconds for a new machine after a reclaim.")
@click.option("--seed", type=int, default=0, help="Another seed, another day (0).")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Write the day as a picture (SVG).")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    plan_or_fleet: Path,
    cluster_file: Path | None,
    peak: str | None,
    trace_file: Path | None,
    plot: Path | None,
    as_json: bool,
    length_spread: float,
    load: float,
    **options: Any,
) -> None:
    """Simulate a day of PLAN_OR_FLEET (a plan file; or a fleet file with --cluster).

    Copies are asked for and given up as the load goes, start late, are reclaimed and fail. It tells what the day costs,
    which part of the requests met the targets, and how long the others waited.
    """
    from planner.scale.answering import Question

    question = Question(spread=length_spread, **options)
    if cluster_file:
        days = _fleet(plan_or_fleet, cluster_file, question, load)
    else:
        days = [_one(plan_or_fleet, _traffic(peak, trace_file, question.seed), question)]
    if plot:
        from planner.scale.picture import picture

        picture(days).write(plot)
    if as_json:
        click.echo(json.dumps([day.as_json() for day in days], indent=2))
        return
    from planner.cli.scale_view import print_days
    from planner.cli.terminal import console

    print_days(days, console())


def _traffic(peak: str | None, trace_file: Path | None, seed: int) -> Trace:
    from planner.errors import BadInput
    from planner.scale.trace import drawn_day, read_trace

    if (peak is None) == (trace_file is None):
        raise BadInput("a day's traffic is drawn or read", fix="give one of --peak 50/s and --trace day.csv")
    return read_trace(trace_file) if trace_file else drawn_day(requests_per_s(peak or ""), seed)


def _one(plan_file: Path, trace: Trace, question: Question) -> Simulated:
    from planner.plan import load_plan
    from planner.scale.answering import simulate_plan

    return simulate_plan(load_plan(plan_file), trace, question)


def _fleet(fleet_file: Path, cluster_file: Path, question: Question, load: float) -> list[Simulated]:
    """Every model has a drawn day of its own, whose busiest seconds are `load` times the load it was planned for."""
    from planner.clusters.reading import read_cluster
    from planner.fleet.answering import plan_fleet
    from planner.fleet.fleet import read_fleet
    from planner.scale.fleets import left_out, servings_of, simulate_fleet
    from planner.scale.trace import drawn_day

    fleet = read_fleet(fleet_file)
    answer = plan_fleet(read_cluster(cluster_file), fleet)
    for name in left_out(answer):
        click.echo(f"{name}: left out, copies in stages are not simulated", err=True)
    numbered = enumerate(fleet.models, question.seed)
    traces = {
        model.label: drawn_day(model.requests_per_s, seed).with_peak(load * model.requests_per_s)
        for seed, model in numbered
    }
    return list(simulate_fleet(servings_of(answer, question), traces, question))
