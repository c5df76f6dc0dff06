"""What was done and measured on the cluster, into this machine's journal."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from executor.deployments.deployment import Deployment, Holding
from executor.findings import as_plain, findings_of
from executor.journal import Journal
from executor.step import Result
from executor.steps.earlier import stage_of
from executor.ways import way_to
from planner.errors import ExecutionFailed
from planner.launching.locating import making_stage
from planner.plan import Plan
from planner.ports import FindingRecord, StepRecord

NOT_HERE = ("report_path",)  # files of the claim that this machine's journal must not name as its own


def told_by(log: str, where: str, resume: str) -> dict[str, Any]:
    """The run that `quantplan apply --json` printed at the end of the log. ExecutionFailed where there is none."""
    start = log.rfind("\n{\n") + 1 if "\n{\n" in log else 0
    try:
        run: dict[str, Any] = json.loads(log[start:])
        return run
    except ValueError:
        raise ExecutionFailed(
            "the Job ended well, but its log does not end with the run",
            where=where,
            fix=f"read it: kubectl logs -l job-name; the log may have been cut. Then: {resume}",
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


def made_there(
    journal: Journal, plan: Plan, run_id: str, run: Mapping[str, Any], artefacts: str | None
) -> tuple[Plan, str]:
    """The plan on the rung that the Job took last, if any, and where its model lies: in the store, or on the claim."""
    taken = run["rungs"][-1]["change"] if run.get("rungs") else None
    standing = next((plan.on_rung(rung) for rung in plan.ladder if rung.says == taken), plan)
    stage, steps = making_stage(standing), journal.steps(run_id)
    path = steps[stage.name].result.get("path") if stage and stage.name in steps else None
    if path is None:
        raise ExecutionFailed("the Job made no model to serve", where=f"run {run_id}", fix="read its log")
    return standing, f"{artefacts.rstrip('/')}/{run_id}" if artefacts else str(path)


def refused_by_report(journal: Journal, plan: Plan, run_id: str) -> bool:
    """Whether the Job's own report says not to serve what it made."""
    stage, steps = stage_of(plan, "report"), journal.steps(run_id)
    return stage is not None and stage.name in steps and steps[stage.name].result.get("go") is False


def write_measured(journal: Journal, plan: Plan, run_id: str, launched: Result, measured: Result) -> None:
    """The launch, the load test and the findings of the deployed server; what only the Job measured stays."""
    before = journal.findings(run_id)
    results: dict[str, Result] = {name: step.result for name, step in journal.steps(run_id).items()}
    for kind, result in (("launch", launched), ("load-test", measured)):
        _write_step(journal, plan, run_id, kind, result)
        if stage := stage_of(plan, kind):  # type: ignore[arg-type]
            results[stage.name] = result
    found = _merged(findings_of(plan, results), before)
    _write_step(journal, plan, run_id, "findings", _as_result(found))
    for stage in plan.stages:
        journal.skip_step(run_id, stage.name, "the server's pods read the model themselves; only they are measured")


def _write_step(journal: Journal, plan: Plan, run_id: str, kind: str, result: Result) -> None:
    stage = stage_of(plan, kind)  # type: ignore[arg-type]
    if stage is None:
        return
    number = journal.next_attempt(run_id, stage.name)
    journal.begin_step(run_id, stage.name, number, Path(), way_to(plan, stage))
    journal.end_step(run_id, stage.name, number, dict(result))


def in_words(step: StepRecord) -> str:
    """What became of a step that was the cluster's."""
    if step.state == "skipped":
        return f"not done: {step.result['why']}"
    took = f" in {step.seconds:.1f} s" if step.seconds is not None else ""
    return f"{step.state} on the cluster{took}"


def _merged(now: list[FindingRecord], before: tuple[FindingRecord, ...]) -> list[FindingRecord]:
    """What was measured now, and of earlier findings those that now have no measurement."""
    earlier = {finding.name: finding for finding in before if finding.measured is not None}
    kept = [earlier.pop(f.name, f) if f.measured is None else f for f in now]
    names = {finding.name for finding in kept}
    return [*kept, *(finding for name, finding in earlier.items() if name not in names)]


def _as_result(found: list[FindingRecord]) -> Result:
    return {
        "findings": [as_plain(finding) for finding in found],
        "inside": sum(finding.inside is True for finding in found),
        "outside": sum(finding.inside is False for finding in found),
        "unknown": sum(finding.inside is None for finding in found),
    }


def kept_as(plan: Plan, run_id: str, launched: Result, model: str, holding: Holding) -> Deployment:
    """The server as the register of servers holds it."""
    stage = stage_of(plan, "launch")
    return Deployment(
        deployment_id=run_id,
        run_id=run_id,
        service=plan.model.name,
        role="kept",
        state="running",
        way=way_to(plan, stage) if stage else "",
        url=launched["url"],
        port=launched["port"],
        pid=0,
        created_at=0.0,
        started_at=time.time(),
        log_path="",
        format=plan.chosen.format,
        engine=plan.chosen.engine,
        model=model,
        original=model,
        arguments=tuple(plan.chosen.engine_arguments),
        holding=holding,
    )
