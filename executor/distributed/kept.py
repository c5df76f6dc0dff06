"""Servers kept on Ray: held by a file in their run's directory and by Ray's jobs, until `quantplan stop` ends both."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from executor.deployments.deployment import Deployment, Holding
from executor.deployments.elsewhere import Server, Standing
from executor.deployments.health import is_healthy
from executor.distributed.cluster import Cluster
from executor.distributed.jobs import ENDED, Jobs, JobState, Unreachable
from executor.distributed.launching import LaunchElsewhere
from executor.distributed.ray_cluster import cluster_of, renewing, stop_held
from executor.distributed.ray_jobs import RayJobs
from executor.distributed.settings import RaySettings, ray_settings
from executor.distributed.task import Attempt
from executor.processes import Processes
from executor.step import Result, StepContext
from executor.toolchains import Toolchains
from planner.errors import ExecutionFailed
from planner.plan import Plan

HOLDER = "ray"


@dataclass(frozen=True, slots=True)
class KeptOnRay:
    """Implements `executor.deployments.elsewhere.Keeping` for one run's cluster."""

    cluster: Cluster

    def server(self, launched: Result) -> Server | None:
        """The launched server while all jobs that hold it, and its workers, run."""
        held = [launched["ran_on"], *launched.get("workers", ())]
        jobs = {one["job"]: one["attempt"] for one in held}
        if any(self.cluster.jobs.state(job).phase in ENDED for job in jobs):
            return None
        holding = Holding(HOLDER, self.cluster.jobs.address, held[0]["address"], jobs)
        return Server(launched["url"], lambda: self.let_go(holding), holding=holding)

    def let_go(self, holding: Holding) -> None:
        for job, folder in holding.jobs.items():
            Attempt(Path(folder)).keep()
            if job in self.cluster.held:
                self.cluster.held.remove(job)


class RayHolder:
    """Implements `executor.deployments.elsewhere.Holder`: Ray is asked, and the files of the attempts release."""

    def __init__(self, connect: Callable[[str], Jobs] = RayJobs, settings: RaySettings | None = None) -> None:
        self._connect, self._settings = connect, settings or ray_settings()

    def standing(self, deployment: Deployment) -> Standing:
        """Running while all its jobs run; a head that is silent, or has forgotten them, is told beside that."""
        holding, jobs = held(deployment), self._jobs(deployment)
        try:
            states = {job: jobs.state(job) for job in holding.jobs}
        except Unreachable as silence:
            return Standing("running", f"{holding.cluster} does not answer ({silence}); the server was asked itself")
        ended = {job: state for job, state in states.items() if state.phase in ENDED}
        if not ended:
            return Standing("running")
        if all(state.phase == "unknown" for state in ended.values()) and is_healthy(deployment.url):
            return Standing(
                "running", f"the head at {holding.cluster} has lost its memory of it; it answers all the same"
            )
        release(holding)
        return Standing("ended", why_ended(ended))

    def stop(self, deployment: Deployment) -> Standing:
        """Release it and stop its jobs. Where the head is silent, or has forgotten them, releasing alone ends it."""
        holding, jobs = held(deployment), self._jobs(deployment)
        within = f"it was released, and ends within {self._settings.patience.lease_s:.0f} s where its node still runs"
        release(holding)
        try:
            for job in holding.jobs:
                jobs.stop(job)
            self._ended(jobs, holding)
        except Unreachable as silence:
            return Standing("stopped", f"{holding.cluster} does not answer ({silence}); {within}")
        return Standing("stopped", within if is_healthy(deployment.url) else "")

    def start(self, deployment: Deployment, plan: Plan, write_down: Callable[[Deployment], None]) -> Deployment:
        """As a job on the node it was on, so that its address stays. ExecutionFailed when it does not start there."""
        holding = held(deployment)
        workspace = workspace_of(holding)
        cluster = cluster_of(self._jobs(deployment), workspace.parent.parent, self._settings)
        launch = LaunchElsewhere(cluster, self._settings.cores, to_keep=True, node=holding.node)
        with Processes() as processes, renewing(workspace, cluster.patience.lease_s):
            try:
                launched = launch(serving_again(deployment, plan, workspace, processes))
                server = KeptOnRay(cluster).server(launched)
                if server is None:
                    raise ExecutionFailed("it ended right after its start", where=deployment.url)
                started = replace(
                    deployment, state="running", pid=launched["pid"], started_at=time.time(), note="",
                    url=server.url, holding=server.holding,
                )  # fmt: skip
                write_down(started)
                server.let_go()
            finally:
                stop_held(cluster)
        return started

    def _jobs(self, deployment: Deployment) -> Jobs:
        return self._connect(held(deployment).cluster)

    def _ended(self, jobs: Jobs, holding: Holding) -> None:
        """Wait until its jobs have ended, for as long as their lease at most."""
        deadline = time.monotonic() + self._settings.patience.lease_s
        while time.monotonic() < deadline:
            if all(jobs.state(job).phase in ENDED for job in holding.jobs):
                return
            time.sleep(self._settings.patience.poll_s)


def held(deployment: Deployment) -> Holding:
    if deployment.holding is None:
        raise ValueError(f"deployment {deployment.deployment_id} is a process of this machine")
    return deployment.holding


def release(holding: Holding) -> None:
    for folder in holding.jobs.values():
        Attempt(Path(folder)).release()


def why_ended(ended: Mapping[str, JobState]) -> str:
    """What Ray says of the first job that ended."""
    job, state = next(iter(ended.items()))
    return (state.message.strip().splitlines() or [f"its job {job} {state.phase}"])[0]


def workspace_of(holding: Holding) -> Path:
    """The run's directory: `RUN/elsewhere/STAGE/WAY/NN` is the folder of an attempt."""
    return Path(next(iter(holding.jobs.values()))).parents[3]


def serving_again(deployment: Deployment, plan: Plan, workspace: Path, processes: Processes) -> StepContext:
    """A launch of the deployment's model with its arguments, at its port: all that a rollback needs of the plan."""
    fetch, launch = (next(stage for stage in plan.stages if stage.kind == kind) for kind in ("fetch", "launch"))
    asked = {"arguments": list(deployment.arguments), "environment": deployment.environment or {}}
    stage = launch.model_copy(update={"parameters": {**launch.parameters, **asked, "port": deployment.port}})
    return StepContext(
        plan=plan.model_copy(update={"stages": (fetch, stage)}),
        stage=stage,
        workspace=workspace,
        results={fetch.name: {"path": deployment.model}},
        log_path=deployment.log,
        report=lambda message, fraction: None,
        toolchains=Toolchains(),
        processes=processes,
    )
