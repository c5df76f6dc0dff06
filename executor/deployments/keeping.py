"""`apply --keep`: the measured server goes on running, written down first, when every check of the run held."""

from __future__ import annotations

import time
from collections.abc import Mapping

from executor.deployments.deployment import Deployment, all_deployments, write
from executor.deployments.elsewhere import Server
from executor.deployments.health import is_healthy
from executor.processes import Processes
from executor.run import Run
from executor.step import Result
from executor.ways import way_to
from planner.plan import Stage

Kept = Deployment


def still_serves(run: Run) -> Kept | None:
    """The healthy server that an earlier application of this very way left running."""
    stage = launch_stage(run)
    for deployment in all_deployments(run.journal) if stage else ():
        same = deployment.run_id == run.run_id and deployment.role != "original"
        if stage and same and deployment.way == way_to(run.plan, stage) and deployment.state == "running":
            return deployment if is_healthy(deployment.url) else None
    return None


def keep(run: Run, results: Mapping[str, Result], processes: Processes, kept: Kept | None) -> None:
    """Leave the run's server running and register it; one that runs already is only confirmed. Says why not, if not."""
    stage = launch_stage(run)
    if stage is None:
        return
    if kept is not None:
        run.tell(stage, "kept", f"still running and healthy at {kept.url}")
        return
    report: Result = next((results[s.name] for s in run.plan.stages if s.kind == "report"), {})
    server = run.keeping.server(results[stage.name]) if run.keeping else here(results[stage.name], processes)
    if server is None or report.get("go") is False:
        why = report.get("headline") if server else "the server has ended"
        run.tell(stage, "kept", f"not left running: {why}")
        return
    write(run.journal, described(run, stage, results, server))
    server.let_go()
    run.tell(stage, "kept", f"left running at {server.url}; quantplan stop {run.run_id} ends it")


def here(launched: Result, processes: Processes) -> Server | None:
    """The launched server as a process of this machine."""
    process = processes.running(launched["pid"])
    if process is None:
        return None
    return Server(launched["url"], lambda: processes.let_go(process), created_at=process.created_at)


def launch_stage(run: Run) -> Stage | None:
    return next((stage for stage in run.plan.stages if stage.kind == "launch"), None)


def described(run: Run, stage: Stage, results: Mapping[str, Result], server: Server) -> Deployment:
    chosen, launched = run.plan.chosen, results[stage.name]
    return Deployment(
        deployment_id=run.run_id,
        run_id=run.run_id,
        service=run.plan.model.name,
        role="kept",
        state="running",
        way=way_to(run.plan, stage),
        url=server.url,
        port=launched["port"],
        pid=launched["pid"],
        created_at=server.created_at,
        started_at=time.time(),
        log_path=launched["log_path"],
        format=chosen.format,
        engine=chosen.engine,
        model=served_model(run, results),
        original=original_model(run, results),
        arguments=tuple(str(argument) for argument in stage.parameters.get("arguments", ())),
        environment=dict(stage.parameters.get("environment", {})),
        holding=server.holding,
    )


def served_model(run: Run, results: Mapping[str, Result]) -> str:
    """The file or directory that is served: the last that a step made, else what was fetched."""
    for stage in reversed(run.plan.stages):
        if stage.kind in ("quantize", "convert") and "path" in results[stage.name]:
            return str(results[stage.name]["path"])
    return fetched_model(run, results)


def original_model(run: Run, results: Mapping[str, Result]) -> str:
    """The model in full precision as the same engine reads it: converted where it was, else as it was fetched."""
    for stage in run.plan.stages:
        if stage.kind == "convert" and "path" in results[stage.name]:
            return str(results[stage.name]["path"])
    return fetched_model(run, results)


def fetched_model(run: Run, results: Mapping[str, Result]) -> str:
    for stage in run.plan.stages:
        if stage.kind == "fetch":
            return str(results[stage.name].get("path") or results[stage.name].get("directory", ""))
    return ""
