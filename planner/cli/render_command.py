"""`quantplan render`: a plan's server as files for another machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.site_options import site_asked, site_options
from planner.errors import BadInput, QuantplanError

if TYPE_CHECKING:
    from planner.plan import Plan
    from planner.ports import RunRecord

OTHER_ENGINES = ("sglang", "tensorrt-llm")
ON_CLUSTERS = ("kubernetes", "ray-serve", "skypilot")
RUN_ID_LENGTH = 12
CLAIM = "/quantplan"
KINDS = ("shell", "compose", "systemd", "modelfile", *ON_CLUSTERS, *OTHER_ENGINES)


@click.command(name="render", short_help="Write a plan's server as files: shell, Compose, Kubernetes ...")
@click.argument("plan", metavar="PLAN|RUN")
@click.option(
    "--as", "--for", "kind", type=click.Choice(KINDS), default="shell", show_default=True, help="Which files."
)
@click.option("--run", help="Serve what that run made.  [default: PLAN's own run on this machine]")
@click.option("--model", help="Where the model lies on that machine, if elsewhere: directory, GGUF file or hub id.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to serve on.  [default: 8000]")
@site_options
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write the files there.")
@click.option("--json", "as_json", is_flag=True, help="Print the files as JSON.")
def command(
    plan: str,
    kind: str,
    run: str | None,
    model: str | None,
    port: int | None,
    out: Path | None,
    as_json: bool,
    **site: Any,
) -> None:
    """Write what starts the server of PLAN (a plan file, or a RUN) elsewhere. Nothing is started here.

    It serves what the run made, or, where nothing is made, the directory or hub id that the plan names.

    `--for kubernetes`: a Job that carries the plan out, the server, its autoscalers, and KServe's form of it;
    `--for ray-serve` and `--for skypilot`: what `serve deploy` and `sky serve up` take.

    `--as sglang` and `--as tensorrt-llm` plan the same format again for that engine, and write its start script.
    """
    from planner.launching.rendering import render
    from planner.launching.writing import write_files

    wanted, record = plan_or_run(plan, run)
    model = model or where_it_lies(wanted, record, plan, on_claim=kind == "kubernetes")
    if kind in OTHER_ENGINES:
        wanted, kind = planned_for(wanted, kind), "shell"
    files = render(wanted, kind, model=model, port=port, site=site_asked(site))  # type: ignore[arg-type]
    written = write_files(files, out) if out else []
    if as_json:
        click.echo(json.dumps({"files": files, "written": [str(path) for path in written]}))
    elif out:
        click.echo("\n".join(f"Written: {path}" for path in written))
    else:
        click.echo("\n".join(text if len(files) == 1 else f"# ---- {name}\n{text}" for name, text in files.items()))


def plan_or_run(named: str, run: str | None) -> tuple[Plan, RunRecord | None]:
    """The plan in a file, or what a run on this machine carried out; with the run that made its model, if any."""
    from planner.cli.apply_command import RUN_ID
    from planner.launching.locating import carried_out, require_same_model
    from planner.plan import load_plan
    from planner.ports import find_executor

    if RUN_ID.fullmatch(named) and not Path(named).exists():
        record = find_executor().show(named)
        return carried_out(record), record
    plan = load_plan(Path(named))
    if run is None:
        return plan, own_run(plan)
    record = find_executor().show(run)
    require_same_model(plan, record)
    return plan, record


def own_run(plan: Plan) -> RunRecord | None:
    """The run that this plan became on this machine; None where it was not applied, or did not get through."""
    from planner.ports import find_executor

    try:
        record = find_executor().show(plan.digest.removeprefix("sha256:")[:RUN_ID_LENGTH])
    except QuantplanError:
        return None
    return record if record.state == "done" and not record.rungs else None


def where_it_lies(plan: Plan, record: RunRecord | None, named: str, *, on_claim: bool) -> str:
    """The model to serve. BadInput where it is still to be made, or the plan is for a mere size.

    `on_claim`: what is made lies on the claim of the Job that is rendered too, and not on this machine.
    """
    from planner.launching.locating import made_by, made_name, making_stage, named_by

    making = making_stage(plan)
    if making and on_claim:
        return f"{CLAIM}/runs/{plan.digest.removeprefix('sha256:')[:RUN_ID_LENGTH]}/{made_name(making)}"
    if record is not None:
        return made_by(record)
    if where := named_by(plan):
        return where
    if making is None:
        raise BadInput(
            f"the plan is for a size ({plan.model.name}), which names no model",
            where=named,
            fix="say where the model lies: --model /models/NAME",
        )
    raise BadInput(
        f"the plan makes a {plan.chosen.format} model first, and it was not applied here",
        where=named,
        fix="apply it and render it again, or say where the model lies: --run RUN, or --model /models/NAME",
    )


def planned_for(plan: Plan, engine: str) -> Plan:
    """The same question with the same format, for another engine. NoFeasiblePlan where it cannot serve it."""
    from planner.planning import make_plan

    if plan.chosen.engine == engine:
        return plan
    return make_plan(plan.request.model_copy(update={"engine": engine, "format": plan.chosen.format}))
