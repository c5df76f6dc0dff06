"""`quantplan apply --on kubernetes`: a Job carries the same plan out, a Deployment serves it; findings come back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from executor.deployments.deployment import write
from executor.distributed.kubernetes import taking_over
from executor.distributed.kubernetes.api import KubeApi, Patience
from executor.distributed.kubernetes.job import JobWatch, Patiently, ended
from executor.distributed.kubernetes.kept import Connect, holding_of
from executor.distributed.kubernetes.manifests import (
    deployed_as,
    load_command,
    local_model,
    making,
    original_there,
    refused_model,
)
from executor.distributed.kubernetes.preflight import require_cluster
from executor.distributed.kubernetes.refusals import Document, table
from executor.distributed.kubernetes.serving import Served
from executor.journal import Journal
from executor.local import LocalExecutor, run_id_of
from executor.steps.earlier import stage_of
from planner.applying import require_servable
from planner.errors import BadInput, ExecutionFailed
from planner.launching.kubernetes import Original
from planner.launching.kubernetes_deployed import CLAIM_ROOT, Deployed
from planner.launching.locating import making_stage, named_by
from planner.plan import Plan
from planner.ports import NO_OPTIONS, ApplyOptions, Event, RunRecord


class KubernetesExecutor(LocalExecutor):
    """Implements `planner.ports.Executor`: the plan's model is made by a Job on a node that has what it asks for.

    The Job's own journal lies on its claim, so a pod that is evicted goes on where it stopped. A plan that makes
    nothing, and one whose server is kept, is served by a Deployment and measured from inside the cluster.
    """

    def __init__(self, home: Path | None = None, connect: Connect = KubeApi, patience: Patience | None = None) -> None:
        super().__init__(home)
        self._connect = connect
        self._patience = patience or Patience.model_validate(table()["patience"])

    def apply(self, plan: Plan, *, on_event: Callable[[Event], None], options: ApplyOptions = NO_OPTIONS) -> RunRecord:
        """Carry the plan out there and take its journal over. Asked again, it goes on, or tells again.

        BadInput before anything is begun for a model that no pod sees; ExecutionFailed where the cluster refuses or
        lacks something, cannot place or start a pod, stays silent, or the work itself fails.
        """
        require_servable(plan, "kubernetes")
        run_id, stage = run_id_of(plan), plan.stages[0].name
        patiently = Patiently(
            self._connect(options.address, options.context),
            self._patience,
            lambda said: on_event(Event(stage, "running", said)),
            resume_command(run_id, options),
        )
        local = self._model_to_carry(plan, options)
        require_room(patiently, plan, options)
        with closing(self._journal()) as journal:
            journal.begin_run(run_id, plan)
            try:
                original = self._carried(local, run_id, options, patiently) if local else None
                carry_out(patiently, journal, plan, original, options)
            except (ExecutionFailed, KeyboardInterrupt) as end:
                journal.end_run(run_id, "failed" if isinstance(end, ExecutionFailed) else "interrupted")
                raise
            record = self._record(journal, journal.run(run_id))
        for step in record.steps:
            on_event(Event(step.name, "skipped", taking_over.in_words(step), 1.0))
        return record

    def _model_to_carry(self, plan: Plan, options: ApplyOptions) -> Path | None:
        """A model of this machine, if the plan names one. BadInput without a store that carries it."""
        local, site = local_model(plan), options.site
        if local is not None and site.artefacts is None:
            raise refused_model(local, site.namespace, deployed_as(plan, site, "").claim)
        if local is not None:
            self.require_store(str(site.artefacts))
        return local

    def _carried(self, local: Path, run_id: str, options: ApplyOptions, patiently: Patiently) -> Original:
        """It in the object store, below the run's id."""
        address = f"{str(options.site.artefacts).rstrip('/')}/originals/{run_id}"
        stored = self.push_artefacts(local, address, on_message=lambda said, fraction: patiently.say(said))
        return original_there(local, stored)


def require_room(patiently: Patiently, plan: Plan, options: ApplyOptions) -> None:
    """ExecutionFailed when the cluster lacks what something that will be applied needs; BadInput for nothing to do."""
    if making_stage(plan) is None and not (named_by(plan) and is_served(plan)):
        raise BadInput(
            f"the plan for {plan.model.name} neither makes nor serves a model", fix="plan for a model by name"
        )
    deployed = deployed_as(plan, options.site, CLAIM_ROOT)
    documents = making(deployed, None) if deployed.makes else []
    if is_served(plan) and (options.keep or not deployed.makes):
        documents += Served(patiently, deployed).documents
        load_command(plan, "")
    patiently.ask(lambda: require_cluster(patiently.api, deployed, documents))


def carry_out(
    patiently: Patiently, journal: Journal, plan: Plan, original: Original | None, options: ApplyOptions
) -> None:
    """Make the model by a Job, where the plan makes one; serve it, where nothing is made or the server is kept."""
    run_id = run_id_of(plan)
    model = original.url if original else named_by(plan)
    if making_stage(plan) is not None:
        log = job_log(patiently, making(deployed_as(plan, options.site, CLAIM_ROOT), original))
        told = taking_over.told_by(log, patiently.api.address, patiently.resume)
        taking_over.take_over(journal, plan, run_id, told)
        good = told["state"] == "done" and not taking_over.refused_by_report(journal, plan, run_id)
        if not (options.keep and good and is_served(plan)):
            return
        plan, model = taking_over.made_there(journal, plan, run_id, told, options.site.artefacts)
    serve(patiently, journal, run_id, deployed_as(plan, options.site, str(model)), options.keep)


def is_served(plan: Plan) -> bool:
    return stage_of(plan, "launch") is not None


def serve(patiently: Patiently, journal: Journal, run_id: str, deployed: Deployed, keep: bool) -> None:
    """Deploy the server, measure it, write down both; one that is not kept, and was not there before, goes again."""
    served, plan = Served(patiently, deployed), deployed.plan
    stays = patiently.ask(lambda: patiently.api.get(served.workload)) is not None
    try:
        launched = served.up()
        measured = served.loaded()
        taking_over.write_measured(journal, plan, run_id, launched, measured)
        if keep:
            holding = holding_of(patiently.api, served.documents)
            write(journal, taking_over.kept_as(plan, run_id, launched, deployed.launching.model, holding))
            patiently.say(f"left running at {launched['url']}; quantplan stop {run_id} removes it")
        stays = stays or keep
    finally:
        if not stays:
            served.remove()
    journal.end_run(run_id, "done")


def job_log(patiently: Patiently, documents: list[Document]) -> str:
    """The log of the Job once it has ended well. One that failed before is made anew, and goes on from its claim."""
    *before, job = documents
    found = patiently.ask(lambda: patiently.api.get(job))
    if found is not None and ended(found) == "Failed":
        patiently.remove(job)
        found = None
    if found is None:
        for document in (*before, job):
            patiently.ask(lambda: patiently.api.apply(document))  # noqa: B023
    return JobWatch(patiently, job).until_it_ends()


def resume_command(run_id: str, options: ApplyOptions) -> str:
    """The command that goes on with the run on the same cluster."""
    site, words = options.site, ["quantplan", "apply", run_id, "--on", "kubernetes"]
    named = {
        "--address": options.address,
        "--context": options.context,
        "--namespace": site.namespace if site.namespace != "default" else None,
        "--image": site.image,
        "--secret": site.secret,
        "--storage-class": site.storage_class,
        "--artefacts": site.artefacts,
        "--artefacts-secret": site.artefacts_secret,
    }
    words += [word for option, value in named.items() if value for word in (option, value)]
    words += [word for key, value in site.node_selector for word in ("--node-selector", f"{key}={value}")]
    return " ".join([*words, *(["--keep"] if options.keep else [])])
