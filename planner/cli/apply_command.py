"""`quantplan apply`: carry out a plan, or go on where it stopped."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from planner.cli.site_options import site_options

PLACES = ("local", "ray", "kubernetes")
RUN_ID = re.compile(r"[0-9a-f]{4,12}")


@click.command(name="apply", short_help="Carry out a plan: quantize, launch, measure, compare.")
@click.argument("plan", metavar="PLAN|RUN")
@click.option("--keep", is_flag=True, help="Leave the server running when every check held (quantplan stop ends it).")
@click.option("--no-fallback", is_flag=True, help="Stop at the first trouble; take no rung of the plan's ladder.")
@click.option("--ramp", is_flag=True, help="Then raise the load until a target is missed: the largest that meets all.")
@click.option("--cores", type=click.IntRange(min=1), help="Use at most this many processor cores.")
@click.option("--on", "where", type=click.Choice(PLACES), default="local", show_default=True, help="Who does the work.")
@click.option("--address", help="Where the cluster answers, such as http://HEAD:8265 for Ray.")
@click.option("--context", help="Kubernetes: the context of the kubeconfig.  [default: its current one]")
@site_options
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON (progress goes to stderr).")
def command(
    plan: str,
    keep: bool,
    no_fallback: bool,
    ramp: bool,
    cores: int | None,
    where: str,
    address: str | None,
    context: str | None,
    as_json: bool,
    **site: Any,
) -> None:
    """Carry out PLAN, a file written by `quantplan plan --out PLAN`, or go on with RUN (see `quantplan runs`).

    Applying the same plan again goes on where it stopped; when it had finished, its files are verified, and so is the
    health of a server that was kept. A step that fails, or is not good enough, falls back as the plan's ladder says.

    `--ramp` makes it another run, which takes over what an earlier one made: its plan has one more step. The targets
    are the plan's (--ttft-ms, --tpot-ms), judged at the 95th percentile.

    `--on ray` sends the heavy steps to a Ray cluster as jobs; `--on kubernetes` has one Job carry the plan out. The
    journal and the findings come back here.

    `--artefacts` puts the model that was made into an object store, below the run's id, and a local model there for
    the Job to fetch (see `quantplan artefacts`). `--keep` on Kubernetes leaves a Deployment of the plan's server.
    """
    from planner.cli.applying import apply_watched
    from planner.cli.site_options import require_a_cluster, site_asked
    from planner.plan import load_plan
    from planner.ports import ApplyOptions, find_executor
    from planner.ramping import with_ramp

    names_a_run = RUN_ID.fullmatch(plan) and not Path(plan).exists()
    asked = find_executor().show(plan).plan if names_a_run else load_plan(Path(plan))
    if ramp and all(stage.kind != "ramp" for stage in asked.stages):
        asked = with_ramp(asked)
    if where != "kubernetes":
        require_a_cluster({**site, "context": context})
    options = ApplyOptions(
        keep=keep,
        fall_back=not no_fallback,
        cores=cores,
        address=address,
        context=context,
        site=site_asked(site),
    )
    apply_watched(asked, as_json=as_json, options=options, executor_name=where)
