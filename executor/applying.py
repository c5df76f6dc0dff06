"""Carries out a plan: for each stage, what stands is kept and what does not is run and recorded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from executor.artifacts import altered
from executor.attempting import attempt
from executor.deployments.keeping import Kept, keep, still_serves
from executor.ladder.diagnosing import Diagnosis, diagnose_failure, diagnose_result
from executor.learning.recording import learn
from executor.processes import Processes, kill_survivors
from executor.register import RunRegister
from executor.run import Run
from executor.signals import interruptible
from executor.step import Result
from executor.steps.keep_original import changed_originals
from executor.ways import way_to
from planner.errors import ExecutionFailed, QuantplanError
from planner.plan import Stage

Results = dict[str, Result]


def apply_plan(run: Run) -> None:
    """Run the plan to its end, or raise ExecutionFailed with the run left so that it can be resumed."""
    with run.workspace.held(), interruptible():
        run.journal.begin_run(run.run_id, run.plan)
        register = RunRegister(run.journal, run.run_id)
        kill_survivors(register.unended())
        register.all_ended()
        try:
            with Processes(register) as processes:
                carry_out(run.where_it_stands(), processes)
        except KeyboardInterrupt:
            run.journal.end_run(run.run_id, "interrupted")
            raise stopped(run) from None
        except QuantplanError:
            run.journal.end_run(run.run_id, "failed")
            raise
        run.journal.end_run(run.run_id, "done")


def stopped(run: Run) -> ExecutionFailed:
    """The error for a run that was ended from outside."""
    return ExecutionFailed(
        "stopped before its end; nothing is left running",
        where=f"run {run.run_id}",
        fix=f"go on when you like: {run.resume}",
    )


class Trouble(Exception):
    """A stage met a trouble that the plan has a rung for."""

    def __init__(self, stage: Stage, diagnosis: Diagnosis, rung: int) -> None:
        super().__init__(diagnosis.says)
        self.stage, self.diagnosis, self.rung = stage, diagnosis, rung


def carry_out(run: Run, processes: Processes) -> None:
    """Every stage; and after a trouble that a rung of the ladder answers, every stage of that rung's way."""
    earlier = attempts_at_load(run)
    while True:
        kept = still_serves(run)
        try:
            results = run_stages(run, processes, kept)
        except Trouble as met:
            processes.stop_all()
            run = run.fall(met.stage, met.diagnosis, met.rung)
            continue
        load = next((stage for stage in run.plan.stages if stage.kind == "load-test"), None)
        if load and attempts_at_load(run) != earlier and (said := learn(run, results)):
            run.tell(load, "learned", said)
        if run.options.keep:
            keep(run, results, processes, kept)
        return


def attempts_at_load(run: Run) -> list[float | None]:
    """When the load was last sent, as the journal has it: a run that only verifies teaches nothing again."""
    kinds = {stage.name: stage.kind for stage in run.plan.stages}
    steps = run.journal.steps(run.run_id)
    return [record.started_at for name, record in steps.items() if kinds.get(name) == "load-test"]


def run_stages(run: Run, processes: Processes, kept: Kept | None = None) -> Results:
    """The loop. A stage whose files come out otherwise than before takes all later stages along."""
    before = finished_before(run)
    results: Results = {}
    for stage in run.plan.stages:
        if stands(before.get(stage.name)) and not must_be_alive(run, stage, before, kept):
            results[stage.name] = before[stage.name]
            run.tell(stage, "skipped", "done before, and its files are as they were recorded", 1.0)
        else:
            results[stage.name] = attempted(run, stage, results, processes)
            if files(before.get(stage.name, {})) != files(results[stage.name]):
                before = {name: result for name, result in before.items() if name in results}
        fall_if(run, stage, diagnose_result(stage, results[stage.name], run.plan.request))
    return results


def attempted(run: Run, stage: Stage, results: Mapping[str, Result], processes: Processes) -> Result:
    """One attempt at the stage. Trouble when it fails of something the ladder answers."""
    try:
        return attempt(run, stage, results, processes)
    except ExecutionFailed as failure:
        log_path = run.journal.steps(run.run_id)[stage.name].log_path
        cause = failure.__cause__ if isinstance(failure.__cause__, Exception) else failure
        fall_if(run, stage, diagnose_failure(run.plan.chosen.engine, cause, Path(log_path or "")))
        raise


def fall_if(run: Run, stage: Stage, diagnosis: Diagnosis | None) -> None:
    """Raise Trouble when there is one and the ladder answers it."""
    if diagnosis is not None and (rung := run.answer_to(stage, diagnosis)) is not None:
        raise Trouble(stage, diagnosis, rung)


def finished_before(run: Run) -> Results:
    """What earlier attempts at this run finished, by stage name, up to the first stage that is asked for otherwise now.

    ExecutionFailed when the original changed since.
    """
    recorded, ways = run.journal.steps(run.run_id), run.journal.ways(run.run_id)
    before: Results = {}
    for stage in run.plan.stages:
        if stage.name in recorded and ways[stage.name] not in (None, way_to(run.plan, stage)):
            break
        if stage.name in recorded and recorded[stage.name].state == "done":
            before[stage.name] = recorded[stage.name].result
            if stage.kind == "keep-original":
                require_unchanged_original(before[stage.name])
    return before


def stands(result: Result | None) -> bool:
    """Whether a step was done and every file it made is as it was recorded."""
    return result is not None and not altered(files(result))


def must_be_alive(run: Run, stage: Stage, before: Mapping[str, Result], kept: Kept | None) -> bool:
    """Whether the stage holds something alive (a server) that is to be kept, or that a stage still to be run needs."""
    if not run.steps[stage.kind].ephemeral:
        return False
    if run.options.keep and kept is None:
        return True
    later = run.plan.stages[run.plan.stages.index(stage) + 1 :]
    return any(stage.kind in run.steps[s.kind].needs and not stands(before.get(s.name)) for s in later)


def files(result: Result) -> list[dict[str, Any]]:
    """The artefact records in a step's result."""
    return list(result.get("artifacts", ()))


def require_unchanged_original(kept: Result) -> None:
    """ExecutionFailed when a full-precision file is no longer what the run began with."""
    if changed := changed_originals(Path(kept["directory"]), kept["sha256"]):
        raise ExecutionFailed(
            f"the original model changed since this run began: {', '.join(changed)}",
            where=kept["directory"],
            fix="put the files back, or plan again for the model as it is now",
        )
