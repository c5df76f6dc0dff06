"""`quantplan apply --on ray`: the journal stays here, the work goes to a Ray cluster that runs already."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from executor.applying import apply_plan
from executor.distributed.cluster import Cluster
from executor.distributed.elsewhere import Elsewhere
from executor.distributed.jobs import Jobs, Needs, Unreachable
from executor.distributed.placing import needs_of, placed, require_spanned, spanning_arguments
from executor.distributed.ray_jobs import RayJobs
from executor.distributed.settings import RaySettings, ray_settings
from executor.distributed.task import FOLDER, LEASE, write_whole
from executor.journal import Journal
from executor.local import LocalExecutor, run_id_of
from executor.run import Run
from executor.step import Result, StepContext
from executor.steps import STEPS
from executor.steps.fetch import fetch_files
from executor.steps.spec import StepSpec
from executor.workspace import Workspace
from planner.errors import BadInput
from planner.plan import Plan, Stage, StageKind
from planner.ports import NO_OPTIONS, ApplyOptions, Event, RunRecord

ON_NODES: tuple[StageKind, ...] = ("convert", "quantize", "evaluate", "launch", "check-applied", "load-test", "ramp")
PASSED_ON = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "QUANTPLAN_TOOLCHAINS")
RESUME = "--on ray"


class RayExecutor(LocalExecutor):
    """Implements `planner.ports.Executor`: runs, their files and servers are looked at where they are, here.

    The home (QUANTPLAN_HOME) must be a directory that every node sees at the same path.
    """

    def __init__(
        self,
        home: Path | None = None,
        settings: RaySettings | None = None,
        connect: Callable[[str], Jobs] = RayJobs,
    ) -> None:
        super().__init__(home)
        self._settings, self._connect = settings or ray_settings(), connect

    def apply(self, plan: Plan, *, on_event: Callable[[Event], None], options: ApplyOptions = NO_OPTIONS) -> RunRecord:
        """Run every stage of the plan, its heavy ones as Ray Jobs; an interrupted run goes on, on any executor.

        ExecutionFailed names the step; before anything is begun also where the cluster is silent or unknown.
        """
        if options.keep:
            raise BadInput(
                "a server on Ray ends with its run; --keep is for this machine",
                fix="after the run: quantplan render RUN --for ray-serve, and `serve deploy` what it writes",
            )
        cluster = self._cluster(options)
        with closing(self._journal()) as journal:
            run = self._run(plan, journal, cluster, on_event, options)
            cluster.patiently(cluster.jobs.require_known, lambda said, _: None, run.run_id)
            with renewing(run.workspace, cluster.patience.lease_s):
                try:
                    apply_plan(run)
                finally:
                    stop_servers(cluster)
            return self._record(journal, journal.run(run.run_id))

    def _cluster(self, options: ApplyOptions) -> Cluster:
        jobs = self._connect(self._settings.address_of(options.address))
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment = {**passed, "QUANTPLAN_HOME": str(self._home.resolve())}
        return Cluster(jobs, self._settings.patience, self._needs(jobs), environment)

    def _needs(self, jobs: Jobs) -> Callable[[Plan, Stage, Mapping[str, Result]], Needs]:
        def needs(plan: Plan, stage: Stage, results: Mapping[str, Result]) -> Needs:
            nodes, where = jobs.nodes(), f"plan for {plan.model.name}, on {jobs.address}"
            if stage.kind == "launch" and plan.chosen.nodes > 1:
                require_spanned(plan, nodes, where)
            beside = str(served_at(plan, results)) if STEPS[stage.kind].needs else ""
            return placed(replace(needs_of(plan, stage, self._settings.cores), beside=beside), nodes, where)

        return needs

    def _run(
        self,
        plan: Plan,
        journal: Journal,
        cluster: Cluster,
        on_event: Callable[[Event], None],
        options: ApplyOptions,
    ) -> Run:
        workspace = SharedWorkspace.of(self._home.resolve(), run_id_of(plan))
        return Run(plan, workspace, journal, steps_on(cluster), on_event, options, elsewhere=RESUME)


class SharedWorkspace(Workspace):
    """A run's directory that nodes write in too."""

    def clear(self) -> None:
        """Nothing: half-written files there may be those of a living job, which clears its own."""


def steps_on(cluster: Cluster) -> dict[StageKind, StepSpec]:
    """The same steps: the heavy ones as jobs, the rest (reading headers, hashing, findings, the report) here."""
    elsewhere = {kind: _elsewhere(cluster, kind) for kind in ON_NODES}
    return {**STEPS, "fetch": StepSpec(fetch_files), **elsewhere}


def _elsewhere(cluster: Cluster, kind: StageKind) -> StepSpec:
    spec = STEPS[kind]
    run = Elsewhere(cluster, holds=spec.ephemeral, uses=bool(spec.needs))
    step = _spanning(run) if kind == "launch" else run
    return StepSpec(step, ephemeral=spec.ephemeral, needs=spec.needs, elsewhere=True)


def _spanning(launch: Elsewhere) -> Callable[[StepContext], Result]:
    """The launch of a copy over several machines asks the engine to use Ray."""

    def launched(context: StepContext) -> Result:
        asked = context.stage.parameters.get("arguments", ())
        arguments = list(spanning_arguments(context.plan, asked))
        if arguments == list(asked):
            return launch(context)
        stage = context.stage.model_copy(update={"parameters": {**context.stage.parameters, "arguments": arguments}})
        stages = tuple(stage if s.name == stage.name else s for s in context.plan.stages)
        return launch(replace(context, stage=stage, plan=context.plan.model_copy(update={"stages": stages})))

    return launched


def served_at(plan: Plan, results: Mapping[str, Result]) -> str:
    """The address of the node that holds the run's server, for the steps that use it."""
    launched = next((results[s.name] for s in plan.stages if s.kind == "launch" and s.name in results), {})
    return str(launched.get("ran_on", {}).get("address", ""))


def stop_servers(cluster: Cluster) -> None:
    """Ask what the run still holds to end; where the head is silent, the lease ends it."""
    for job_id in cluster.held:
        with suppress(Unreachable):
            cluster.jobs.stop(job_id)
    cluster.held.clear()


@contextmanager
def renewing(workspace: Workspace, lease_s: float) -> Iterator[None]:
    """Renew the lease of the run's servers from a thread of its own, for the block."""
    ended = threading.Event()

    def renew() -> None:
        count = 0
        while not ended.is_set():
            write_whole(workspace.directory / FOLDER / LEASE, f'{{"by": {os.getpid()}, "count": {count}}}')
            count += 1
            ended.wait(lease_s / 6)

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
