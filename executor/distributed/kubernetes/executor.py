"""`quantplan apply --on kubernetes`: a Job carries the same plan out; its journal and findings come back here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from executor.distributed.kubernetes.api import Document, KubeApi, Patience, table
from executor.distributed.kubernetes.job import JobWatch, Patiently, ended
from executor.journal import Journal
from executor.local import LocalExecutor, run_id_of
from executor.ways import way_to
from planner.errors import BadInput, ExecutionFailed
from planner.launching.rendering import Site, render
from planner.plan import Plan
from planner.ports import NO_OPTIONS, ApplyOptions, Event, RunRecord

NOT_HERE = ("report_path",)  # files of the claim that this machine's journal must not name as its own
MAKES = "quantize.yaml"
CLAIM = "/quantplan/"


class KubernetesExecutor(LocalExecutor):
    """Implements `planner.ports.Executor`: the plan is applied by a Job on a node that has what it asks for.

    The Job's own journal lies on its claim, so a pod that is evicted goes on where it stopped.
    """

    def __init__(
        self,
        home: Path | None = None,
        connect: Callable[[str | None], KubeApi] = KubeApi,
        patience: Patience | None = None,
    ) -> None:
        super().__init__(home)
        self._connect = connect
        self._patience = patience or Patience.model_validate(table()["patience"])

    def apply(self, plan: Plan, *, on_event: Callable[[Event], None], options: ApplyOptions = NO_OPTIONS) -> RunRecord:
        """Apply the manifests, wait for the Job, and take its journal over. Asked again, it goes on, or tells again.

        ExecutionFailed where the cluster refuses, cannot place the Job, stays silent, or the Job fails.
        """
        if options.keep:
            fix = "after the run: quantplan render PLAN --for kubernetes --model ..., and kubectl apply what it writes"
            raise BadInput("the Job ends with its run; --keep is for this machine", fix=fix)
        run_id, stage = run_id_of(plan), plan.stages[0].name
        patiently = Patiently(
            self._connect(options.address),
            self._patience,
            lambda said: on_event(Event(stage, "running", said)),
            f"quantplan apply {run_id} --on kubernetes",
        )
        documents = manifests(plan)
        with closing(self._journal()) as journal:
            journal.begin_run(run_id, plan)
            try:
                take_over(journal, plan, run_id, told_by(carried_out(patiently, documents), patiently))
            except (ExecutionFailed, KeyboardInterrupt) as end:
                journal.end_run(run_id, "failed" if isinstance(end, ExecutionFailed) else "interrupted")
                raise
            record = self._record(journal, journal.run(run_id))
        for step in record.steps:
            on_event(Event(step.name, step.state, "", 1.0))
        return record


def manifests(plan: Plan) -> list[Document]:
    """The plan as a ConfigMap, the claim and the Job, in this order.

    BadInput for a plan that makes nothing, or whose model lies where no pod sees it.
    """
    require_model_there(plan)
    files = render(plan, "kubernetes", model="/quantplan/model", site=Site())
    if MAKES not in files:
        raise BadInput(
            "the plan makes nothing; there is no Job to run", fix="kubectl apply what `quantplan render` writes"
        )
    claim, job = list(yaml.safe_load_all(files[MAKES]))
    job["metadata"]["name"] = f"{job['metadata']['name']}-{run_id_of(plan)}"
    plan_volume = next(v for v in job["spec"]["template"]["spec"]["volumes"] if v["name"] == "plan")
    plan_volume["configMap"]["name"] = job["metadata"]["name"]
    metadata = {"name": job["metadata"]["name"], "namespace": job["metadata"]["namespace"]}
    content = {"plan.json": plan.as_json()}
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": content}, claim, job]


def require_model_there(plan: Plan) -> None:
    """BadInput when the original is a directory of this machine, and not of the claim."""
    source = next((str(stage.parameters.get("source", "")) for stage in plan.stages if stage.kind == "fetch"), "")
    if Path(source).exists() and not source.startswith(CLAIM):
        raise BadInput(
            "the plan's model is a directory of this machine, which no pod sees",
            where=source,
            fix=f"plan with the model's hub id, or copy it to the claim and plan for it below {CLAIM}",
        )


def carried_out(patiently: Patiently, documents: list[Document]) -> str:
    """The log of the Job once it has ended well. One that failed before is made anew, and goes on from its claim."""
    *before, job = documents
    found = patiently.ask(lambda: patiently.api.get(job))
    if found is not None and ended(found) == "Failed":
        patiently.ask(lambda: patiently.api.delete(job))
        found = None
    if found is None:
        for document in (*before, job):
            patiently.ask(lambda: patiently.api.apply(document))  # noqa: B023
    return JobWatch(patiently, job).until_it_ends()


def told_by(log: str, patiently: Patiently) -> dict[str, Any]:
    """The run that `quantplan apply --json` printed at the end of the log. ExecutionFailed where there is none."""
    start = log.rfind("\n{\n") + 1 if "\n{\n" in log else 0
    try:
        run: dict[str, Any] = json.loads(log[start:])
        return run
    except ValueError:
        raise ExecutionFailed(
            "the Job ended well, but its log does not end with the run",
            where=patiently.api.address,
            fix=f"read it: kubectl logs -l job-name; the log may have been cut. Then: {patiently.resume}",
        ) from None


def take_over(journal: Journal, plan: Plan, run_id: str, run: Mapping[str, Any]) -> None:
    """The Job's steps, results and findings into this machine's journal. What stands there already stays."""
    known, stages = journal.steps(run_id), {stage.name: stage for stage in plan.stages}
    for step in run["steps"]:
        name = step["name"]
        if name not in stages or step["state"] != "done" or (name in known and known[name].state == "done"):
            continue
        number = journal.next_attempt(run_id, name)
        result = {key: value for key, value in step["result"].items() if key not in NOT_HERE}
        journal.begin_step(run_id, name, number, Path(step["log_path"] or ""), way_to(plan, stages[name]))
        journal.end_step(run_id, name, number, result, step["seconds"], step["resources"])
    journal.end_run(run_id, "done" if run["state"] == "done" else "failed")
