"""How a server is launched on a cluster: on one node, over several by the engine's own means, or to be kept."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from executor.distributed.cluster import Cluster
from executor.distributed.elsewhere import Elsewhere
from executor.distributed.jobs import ENDED, Needs, Unreachable
from executor.distributed.placing import placed
from executor.distributed.ray_cluster import launched_in, place_of
from executor.distributed.spreading import Spread, spread_of
from executor.step import Result, Step, StepContext
from planner.errors import ExecutionFailed
from planner.plan import StageKind


@dataclass(frozen=True, slots=True)
class LaunchElsewhere:
    """The launch as a job that holds the server; where the plan's memory is that of several nodes, with workers.

    A server `to_keep` listens at its node's own address, where others than the run reach it. `node`: the address of
    the one that it must be on.
    """

    cluster: Cluster
    cores: Mapping[StageKind, float]
    to_keep: bool = False
    node: str = ""

    def __call__(self, context: StepContext) -> Result:
        """As on one machine, with "workers" where it has some. ExecutionFailed also when those are lost too often."""
        cluster, run_id = self.cluster, context.workspace.name
        cluster.end_held(context.report, run_id)
        spread = cluster.patiently(lambda: self.spread_of(context), context.report, run_id)
        if spread is not None:
            return self.spread(context, spread)
        return self.server.attempted(context, cluster.patiently(lambda: self.needs(context), context.report, run_id))

    @property
    def server(self) -> Elsewhere:
        return Elsewhere(self.cluster, holds=True, listens=self.to_keep)

    def needs(self, context: StepContext) -> Needs:
        """ExecutionFailed also where the node that it must be on is gone."""
        jobs, needs = self.cluster.jobs, self.cluster.needs(context.plan, context.stage, context.results)
        if not self.node:
            return needs
        return placed(replace(needs, beside=self.node), jobs.nodes(), place_of(context.plan, jobs))

    def spread_of(self, context: StepContext) -> Spread | None:
        """On the largest nodes, and the server on its own where it must be on one."""
        jobs = self.cluster.jobs
        nodes = sorted(jobs.nodes(), key=lambda node: (node.address != self.node, -node.memory_bytes))
        return spread_of(context.plan, context.stage, self.cores, nodes, place_of(context.plan, jobs))

    def spread(self, context: StepContext, spread: Spread) -> Result:
        """The workers first, then the server that is told of them; all again where a worker was lost meanwhile."""
        context.report(spread.says, None)
        lost: list[str] = []
        while len(lost) < self.cluster.patience.attempts:
            workers = [self.worker(context, number, spread) for number in range(len(spread.workers))]
            held = {"workers": [worker["ran_on"] for worker in workers]}
            told = asking(context, context.stage.name, spread.launch(context.stage, workers))
            try:
                return {**self.server.attempted(told, spread.server), **held}
            except ExecutionFailed:
                if not (gone := lost_of(held, self.cluster)):
                    raise
            lost += gone
            context.report(f"lost: {gone[0]}; trying again", None)
            self.cluster.end_held(context.report, context.workspace.name)
        raise Elsewhere(self.cluster).given_up(lost, context)

    def worker(self, context: StepContext, number: int, spread: Spread) -> Result:
        """One worker, running: {pid, log_path, ran_on}, and where the server reaches it."""
        name = f"{context.stage.name}-worker-{number + 1}"
        told = asking(context, name, spread.worker(context.stage, number))
        log_path = context.log_path.with_name(f"{context.log_path.stem}.worker-{number + 1}.log")
        job = Elsewhere(self.cluster, holds=True, listens=True, is_worker=True)
        return job.attempted(replace(told, log_path=log_path), spread.workers[number])


def asking(context: StepContext, name: str, parameters: Mapping[str, Any]) -> StepContext:
    """The same context where its stage has another name and other parameters."""
    stage = context.stage.model_copy(update={"name": name, "parameters": dict(parameters)})
    stages = tuple(stage if s.name == context.stage.name else s for s in context.plan.stages)
    return replace(context, stage=stage, plan=context.plan.model_copy(update={"stages": stages}))


def ended_jobs(cluster: Cluster, held: Iterable[Mapping[str, str]]) -> list[str]:
    """Which of the jobs that hold a server or its workers have ended, and what the cluster says of it."""
    gone = []
    for one in held:
        with suppress(Unreachable):
            state = cluster.jobs.state(one["job"])
            if state.phase in ENDED:
                said = (state.message.strip().splitlines() or [f"its job {state.phase}"])[0]
                gone.append(f"{one['job']} on {one['node']}: {said}")
    return gone


def lost_of(launched: Result, cluster: Cluster) -> list[str]:
    """Which jobs of a server have ended: asked until one of its workers has (or its own, where it has none), for as
    long as Ray may take to notice.
    """
    own, workers = [launched["ran_on"]] if "ran_on" in launched else [], launched.get("workers", [])
    deadline = time.monotonic() + cluster.patience.lost_s
    while not (gone := ended_jobs(cluster, workers or own)) and time.monotonic() < deadline:
        time.sleep(cluster.patience.poll_s)
    return gone or ended_jobs(cluster, own)


def naming_lost_server(step: Elsewhere) -> Step:
    """A step that uses the server: when it fails and the server or a worker of it is gone, that is what is said."""

    def carried_out(context: StepContext) -> Result:
        try:
            return step(context)
        except ExecutionFailed as failed:
            if not (gone := lost_of(launched_in(context.plan, context.results), step.cluster)):
                raise
            raise ExecutionFailed(
                f"the server was lost: {'; '.join(gone)}",
                where=step.cluster.jobs.address,
                fix=f"go on, which starts it again: quantplan apply {context.workspace.name} --on ray",
            ) from failed

    return carried_out
