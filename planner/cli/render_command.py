"""`quantplan render`: a plan's server as files for another machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from planner.plan import Plan

OTHER_ENGINES = ("sglang", "tensorrt-llm")
ON_CLUSTERS = ("kubernetes", "ray-serve", "skypilot")
KINDS = ("shell", "compose", "systemd", "modelfile", *ON_CLUSTERS, *OTHER_ENGINES)


@click.command(name="render", short_help="Write a plan's server as files: shell, Compose, Kubernetes ...")
@click.argument("plan", metavar="PLAN|RUN")
@click.option(
    "--as", "--for", "kind", type=click.Choice(KINDS), default="shell", show_default=True, help="Which files."
)
@click.option("--model", help="Where the model lies on that machine (directory, GGUF file or hub id).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to serve on.  [default: 8000]")
@click.option("--namespace", default="default", show_default=True, help="Kubernetes: where everything goes.")
@click.option("--secret", help="Kubernetes: the Secret whose key `token` holds a Hub token.")
@click.option("--image", help="Kubernetes: the image of quantplan itself, for the Job that carries the plan out.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write the files there.")
@click.option("--json", "as_json", is_flag=True, help="Print the files as JSON.")
def command(
    plan: str,
    kind: str,
    model: str | None,
    port: int | None,
    namespace: str,
    secret: str | None,
    image: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write what starts the server of PLAN (a plan file, or a RUN) elsewhere. Nothing is started here.

    `--for kubernetes`: a Job that carries the plan out, the server, its autoscalers, and KServe's form of it;
    `--for ray-serve` and `--for skypilot`: what `serve deploy` and `sky serve up` take.

    `--as sglang` and `--as tensorrt-llm` plan the same format again for that engine, and write its start script.
    """
    from planner.errors import BadInput
    from planner.launching.rendering import render
    from planner.launching.site import Site
    from planner.launching.writing import write_files

    wanted, made = plan_or_run(plan)
    model = model or made
    if model is None and any(stage.kind == "quantize" for stage in wanted.stages):
        raise BadInput(
            f"the plan makes a {wanted.chosen.format} model first, and it is not known where that lies",
            where=plan,
            fix="apply the plan and render the run it becomes, or say where the model lies: --model /models/NAME",
        )
    if kind in OTHER_ENGINES:
        wanted, kind = planned_for(wanted, kind), "shell"
    site = Site(namespace, secret, image)
    files = render(wanted, kind, model=model, port=port, site=site)  # type: ignore[arg-type]
    written = write_files(files, out) if out else []
    if as_json:
        click.echo(json.dumps({"files": files, "written": [str(path) for path in written]}))
    elif out:
        click.echo("\n".join(f"Written: {path}" for path in written))
    else:
        click.echo("\n".join(text if len(files) == 1 else f"# ---- {name}\n{text}" for name, text in files.items()))


def plan_or_run(named: str) -> tuple[Plan, str | None]:
    """The plan in a file, or that of a run on this machine with the model it made."""
    from planner.cli.apply_command import RUN_ID
    from planner.plan import load_plan
    from planner.ports import find_executor

    if not RUN_ID.fullmatch(named) or Path(named).exists():
        return load_plan(Path(named)), None
    record = find_executor().show(named)
    made = [step.result["path"] for step in record.steps if step.name == "quantize" and "path" in step.result]
    return record.plan, made[-1] if made else None


def planned_for(plan: Plan, engine: str) -> Plan:
    """The same question with the same format, for another engine. NoFeasiblePlan where it cannot serve it."""
    from planner.planning import make_plan

    if plan.chosen.engine == engine:
        return plan
    return make_plan(plan.request.model_copy(update={"engine": engine, "format": plan.chosen.format}))
