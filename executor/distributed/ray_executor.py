"""`quantplan apply --on ray`: the journal stays here, the work goes to a Ray cluster that runs already."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from executor.applying import apply_plan
from executor.distributed.cluster import Cluster
from executor.distributed.elsewhere import Elsewhere
from executor.distributed.jobs import Jobs
from executor.distributed.kept import KeptOnRay
from executor.distributed.launching import LaunchElsewhere, naming_lost_server
from executor.distributed.ray_cluster import cluster_of, place_of, renewing, stop_held
from executor.distributed.ray_jobs import RayJobs
from executor.distributed.settings import RaySettings, ray_settings
from executor.distributed.spreading import spread_of
from executor.journal import Journal
from executor.local import LocalExecutor, run_id_of
from executor.run import Run
from executor.steps import STEPS
from executor.steps.fetch import fetch_files
from executor.steps.spec import StepSpec
from executor.workspace import Workspace
from planner.applying import require_servable
from planner.plan import Plan, StageKind
from planner.ports import NO_OPTIONS, ApplyOptions, Event, RunRecord

ON_NODES: tuple[StageKind, ...] = ("convert", "quantize", "evaluate", "launch", "check-applied", "load-test", "ramp")
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
        require_servable(plan, "ray")
        jobs = self._connect(self._settings.address_of(options.address))
        cluster = cluster_of(jobs, self._home, self._settings)
        with closing(self._journal()) as journal:
            run = self._run(plan, journal, cluster, on_event, options)
            cluster.require_there()
            require_places(cluster, self._settings, plan, done_in(journal, run.run_id))
            with renewing(run.workspace.directory, cluster.patience.lease_s):
                try:
                    apply_plan(run)
                finally:
                    stop_held(cluster)
            return self._record(journal, journal.run(run.run_id))

    def _run(
        self,
        plan: Plan,
        journal: Journal,
        cluster: Cluster,
        on_event: Callable[[Event], None],
        options: ApplyOptions,
    ) -> Run:
        workspace = SharedWorkspace.of(self._home.resolve(), run_id_of(plan))
        steps, keeping = steps_on(cluster, self._settings, to_keep=options.keep), KeptOnRay(cluster)
        return Run(plan, workspace, journal, steps, on_event, options, elsewhere=RESUME, keeping=keeping)


class SharedWorkspace(Workspace):
    """A run's directory that nodes write in too."""

    def clear(self) -> None:
        """Nothing: half-written files there may be those of a living job, which clears its own."""


def done_in(journal: Journal, run_id: str) -> set[str]:
    return {name for name, record in journal.steps(run_id).items() if record.state == "done"}


def require_places(cluster: Cluster, settings: RaySettings, plan: Plan, done: set[str]) -> None:
    """ExecutionFailed, before anything is begun, where no node could hold a step that is still to be done."""
    jobs = cluster.jobs
    for stage in (s for s in plan.stages if s.kind in ON_NODES and (s.name not in done or s.kind == "launch")):
        spread = stage.kind == "launch" and spread_of(plan, stage, settings.cores, jobs.nodes(), place_of(plan, jobs))
        if not spread:
            cluster.needs(plan, stage, {})


def steps_on(cluster: Cluster, settings: RaySettings, *, to_keep: bool = False) -> dict[StageKind, StepSpec]:
    """The same steps: the heavy ones as jobs, the rest (reading headers, hashing, findings, the report) here.

    A server `to_keep` listens at its node's own address, where others than the run reach it.
    """
    elsewhere = {kind: _elsewhere(cluster, settings, kind, to_keep) for kind in ON_NODES}
    return {**STEPS, "fetch": StepSpec(fetch_files), **elsewhere}


def _elsewhere(cluster: Cluster, settings: RaySettings, kind: StageKind, to_keep: bool) -> StepSpec:
    spec = STEPS[kind]
    if kind == "launch":
        return StepSpec(LaunchElsewhere(cluster, settings.cores, to_keep), ephemeral=True, elsewhere=True)
    step = Elsewhere(cluster, uses=bool(spec.needs))
    return StepSpec(naming_lost_server(step) if step.uses else step, needs=spec.needs, elsewhere=True)
