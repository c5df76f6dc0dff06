"""Carries out a plan: for each stage, what stands is kept and what does not is run and recorded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from executor.artifacts import altered
from executor.attempting import attempt
from executor.journal import RunRegister
from executor.processes import Processes, kill_survivors
from executor.run import Run
from executor.signals import interruptible
from executor.step import Result
from executor.steps.keep_original import changed_originals
from planner.errors import ExecutionFailed, QuantplanError
from planner.plan import Stage


def apply_plan(run: Run) -> None:
    """Run the plan to its end, or raise ExecutionFailed with the run left so that it can be resumed."""
    with run.workspace.held(), interruptible():
        run.journal.begin_run(run.run_id, run.plan)
        kill_survivors(run.journal.unended_processes(run.run_id))
        try:
            with Processes(RunRegister(run.journal, run.run_id)) as processes:
                run_stages(run, processes)
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
        fix=f"go on when you like: quantplan apply {run.run_id}",
    )


def run_stages(run: Run, processes: Processes) -> None:
    """The loop. A stage whose files come out otherwise than before takes all later stages along."""
    before = finished_before(run)
    results: dict[str, Result] = {}
    for stage in run.plan.stages:
        if stands(before.get(stage.name)) and not must_be_alive(run, stage, before):
            results[stage.name] = before[stage.name]
            run.tell(stage, "skipped", "done before, and its files are as they were recorded", 1.0)
            continue
        results[stage.name] = attempt(run, stage, results, processes)
        if files(before.get(stage.name, {})) != files(results[stage.name]):
            before = {name: result for name, result in before.items() if name in results}


def finished_before(run: Run) -> dict[str, Result]:
    """What earlier attempts at this run finished, by stage name. ExecutionFailed when the original changed since."""
    recorded = run.journal.steps(run.run_id).values()
    before = {record.name: record.result for record in recorded if record.state == "done"}
    for stage in run.plan.stages:
        if stage.kind == "keep-original" and stage.name in before:
            require_unchanged_original(before[stage.name])
    return before


def stands(result: Result | None) -> bool:
    """Whether a step was done and every file it made is as it was recorded."""
    return result is not None and not altered(files(result))


def must_be_alive(run: Run, stage: Stage, before: Mapping[str, Result]) -> bool:
    """Whether the stage holds something alive (a server) that a later stage, still to be run, needs."""
    if not run.steps[stage.kind].ephemeral:
        return False
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
