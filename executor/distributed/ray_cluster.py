"""A Ray cluster as steps are sent there: what each asks for by the plan, and the lease of what a run holds there."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from executor.distributed.cluster import Cluster
from executor.distributed.jobs import Jobs, Needs, Unreachable
from executor.distributed.placing import needs_of, placed
from executor.distributed.settings import RaySettings
from executor.distributed.task import FOLDER, LEASE, write_whole
from executor.step import Result
from executor.steps import STEPS
from planner.plan import Plan, Stage

PASSED_ON = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "QUANTPLAN_TOOLCHAINS")


def cluster_of(jobs: Jobs, home: Path, settings: RaySettings) -> Cluster:
    """The cluster for the runs below `home`, which its nodes see at the same path."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment = {**passed, "QUANTPLAN_HOME": str(home.resolve())}
    return Cluster(jobs, settings.patience, placing(jobs, settings), environment)


def placing(jobs: Jobs, settings: RaySettings) -> Callable[[Plan, Stage, Mapping[str, Result]], Needs]:
    """What a step's job asks for, as the nodes that are there now name it."""

    def needs(plan: Plan, stage: Stage, results: Mapping[str, Result]) -> Needs:
        nodes, where = jobs.nodes(), place_of(plan, jobs)
        beside = served_at(plan, results) if STEPS[stage.kind].needs else ""
        return placed(replace(needs_of(plan, stage, settings.cores), beside=beside), nodes, where)

    return needs


def place_of(plan: Plan, jobs: Jobs) -> str:
    return f"plan for {plan.model.name}, on {jobs.address}"


def launched_in(plan: Plan, results: Mapping[str, Result]) -> Result:
    """What the run's launch returned; empty before it."""
    return next((results[s.name] for s in plan.stages if s.kind == "launch" and s.name in results), {})


def served_at(plan: Plan, results: Mapping[str, Result]) -> str:
    """The address of the node that holds the run's server, for the steps that use it."""
    return str(launched_in(plan, results).get("ran_on", {}).get("address", ""))


def stop_held(cluster: Cluster) -> None:
    """Ask what the run still holds to end; where the head is silent, the lease ends it."""
    for job_id in cluster.held:
        with suppress(Unreachable):
            cluster.jobs.stop(job_id)
    cluster.held.clear()


@contextmanager
def renewing(workspace: Path, lease_s: float) -> Iterator[None]:
    """Renew the lease of the run's servers from a thread of its own, for the block."""
    ended = threading.Event()

    def renew() -> None:
        count = 0
        while not ended.is_set():
            write_whole(workspace / FOLDER / LEASE, f'{{"by": {os.getpid()}, "count": {count}}}')
            count += 1
            ended.wait(lease_s / 6)

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
