"""Stop, promote, roll back: what is done with servers that were left running."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from executor.artifacts import altered, write_text
from executor.deployments.deployment import Deployment, all_deployments, find, live, put_in_service, services, write
from executor.deployments.elsewhere import holder_of
from executor.deployments.health import answers
from executor.engines import engine_of
from executor.engines.starting import Launch, start_server
from executor.journal import Journal
from executor.process import signal_group
from executor.processes import Processes
from executor.register import RunRegister
from executor.steps.keep_original import changed_originals
from executor.toolchains import Toolchains
from planner.errors import BadInput, ExecutionFailed, QuantplanError
from planner.plan import Plan
from planner.ports import StepRecord

GRACE_S = 10.0
POLL_S = 0.05
UNSAFE = str.maketrans({"/": "-", "\\": "-", " ": "-"})


def stop(journal: Journal, deployment: Deployment) -> Deployment:
    """SIGTERM to its group, wait, SIGKILL; one that has ended already is only marked. On a cluster its job is ended."""
    if (holder := holder_of(deployment)) is not None:
        ended = holder.stop(deployment)
        stopped = replace(deployment, state=ended.state, note=ended.note)
        write(journal, stopped)
        return stopped
    if deployment.alive:
        signal_group(deployment.pid, signal.SIGTERM)
        if not _ended(deployment, GRACE_S):
            signal_group(deployment.pid, signal.SIGKILL)
            _ended(deployment, GRACE_S)
    stopped = replace(deployment, state="stopped")
    write(journal, stopped)
    return stopped


def as_it_stands(journal: Journal, deployment: Deployment) -> Deployment:
    """The same, once its cluster was asked; an end that it tells of is written down."""
    holder = holder_of(deployment) if deployment.state == "running" else None
    if holder is None:
        return deployment
    now = holder.standing(deployment)
    asked = replace(deployment, state=now.state, note=now.note)
    if now.state != "running":
        write(journal, asked)
    return asked


def promote(journal: Journal, deployment: Deployment, home: Path) -> Deployment:
    """Put a server in service for its model, after one answer from it. What was there before runs on, as "kept"."""
    if not deployment.alive or not answers(deployment.url, deployment.service):
        raise ExecutionFailed(
            f"deployment {deployment.deployment_id} does not answer, so it is not promoted",
            where=deployment.url,
            fix=f"read {deployment.log_path}, or start it again: quantplan apply {deployment.run_id} --keep",
        )
    promoted = put_in_service(journal, deployment)
    point_to(home, promoted)
    return promoted


def rollback(journal: Journal, service: str, home: Path) -> Deployment:
    """Serve the original in full precision at the address of what is in service now, which is stopped for it.

    ExecutionFailed when the original's checksums changed, before anything is stopped; and when the original does not
    start, after what was in service was started again.
    """
    now = in_service(journal, service)
    plan, steps = journal.run(now.run_id).plan, journal.steps(now.run_id)
    require_original(now, plan, steps)
    stop(journal, now)
    back = replace(
        now,
        deployment_id=f"{now.run_id}-original",
        role="original",
        format="original, full precision",
        model=now.original,
        log_path=str(now.log.with_name("rollback.log")),
    )
    try:
        started = start(journal, back, plan)
    except QuantplanError as error:
        point_to(home, start(journal, now, plan))
        raise ExecutionFailed(
            f"the original could not be served: {error.what}",
            where=f"{service}, {back.log_path}",
            fix=f"{now.format} serves again at {now.url}; give the original more memory, or fewer requests at once",
        ) from error
    point_to(home, started)
    return started


def in_service(journal: Journal, service: str) -> Deployment:
    """What is in service for a model, named by the model or by a deployment's id. BadInput when nothing is."""
    known = services(all_deployments(journal))
    name = service if service in known else find(journal, service).service
    now = live(journal, name)
    if now is None:
        raise BadInput(
            f"nothing is in service for {name}",
            nearest=[d.deployment_id for d in all_deployments(journal) if d.service == name and d.state == "running"],
            fix="put a kept server in service first: quantplan promote RUN",
        )
    if now.role == "original":
        raise BadInput(f"{name} is served from its original already", where=now.url, fix="nothing is to be done")
    return now


def require_original(now: Deployment, plan: Plan, steps: Mapping[str, StepRecord]) -> None:
    """ExecutionFailed unless the kept original (and its converted form, where one is served) is as it was recorded."""
    for stage in plan.stages:
        result = steps[stage.name].result if stage.name in steps else {}
        if stage.kind == "keep-original" and "sha256" in result:
            wrong = changed_originals(Path(result["directory"]), result["sha256"])
        elif stage.kind == "convert" and result.get("path") == now.original:
            wrong = altered(result.get("artifacts", ()))
        else:
            continue
        if wrong:
            raise ExecutionFailed(
                f"the original is not as it was recorded: {', '.join(wrong)}",
                where=now.service,
                fix=f"put the files back; {now.format} is still in service at {now.url}",
            )


def start(journal: Journal, deployment: Deployment, plan: Plan) -> Deployment:
    """Start a server again on its own port, wait until it is ready, write it down, and let it go."""
    if (holder := holder_of(deployment)) is not None:
        return holder.start(deployment, plan, lambda started: write(journal, started))
    with Processes(RunRegister(journal, deployment.run_id)) as processes:
        launch = Launch(
            engine=engine_of(plan),
            model=Path(deployment.model),
            arguments=deployment.arguments,
            log_path=deployment.log,
            name=deployment.service,
            environment=deployment.environment or {},
            port=deployment.port,
        )
        server = start_server(launch, Toolchains(processes=processes), processes, lambda message: None)
        if not answers(server.url, deployment.service):
            raise ExecutionFailed("it is healthy but does not answer", where=server.url)
        process = server.process
        started = replace(
            deployment, state="running", pid=process.pid, created_at=process.created_at, started_at=time.time()
        )
        write(journal, started)
        processes.let_go(process)
    return started


def point_to(home: Path, deployment: Deployment) -> None:
    """Say what is in service for the model, in a file that a router or a script can read: HOME/live/MODEL.json."""
    content = {name: getattr(deployment, name) for name in ("service", "url", "format", "engine", "run_id")}
    write_text(home / "live" / f"{deployment.service.translate(UNSAFE)}.json", json.dumps(content, indent=2) + "\n")


def _ended(deployment: Deployment, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while deployment.alive:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
