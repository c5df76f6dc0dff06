"""One attempt at one step: begun in the journal, run, and recorded with its result or its error."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from pathlib import Path

from executor.aside import NO_ROOM, no_space_left
from executor.explaining import EXPLANATIONS
from executor.process import Usage
from executor.processes import RESUME, Processes
from executor.resources import require_room
from executor.run import Run
from executor.sharing import share, take_shared
from executor.step import Result, StepContext
from executor.steps.spec import StepSpec
from executor.toolchains import Toolchains
from executor.ways import way_to
from planner.errors import ExecutionFailed, QuantplanError
from planner.plan import Stage
from planner.ports import StepRecord
from planner.units import GIB


def attempt(run: Run, stage: Stage, results: Mapping[str, Result], processes: Processes) -> Result:
    """Run the step and return its result. ExecutionFailed, naming the step, when it cannot be finished."""
    number = run.journal.next_attempt(run.run_id, stage.name)
    log_path = run.workspace.log_path(run.plan.stages.index(stage) + 1, stage.name, number)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    run.journal.begin_step(run.run_id, stage.name, number, log_path, way_to(run.plan, stage))
    run.tell(stage, "running", EXPLANATIONS[stage.kind], None)
    processes.take_usage()
    began = time.monotonic()
    try:
        context = _context(run, stage, results, log_path, processes)
        result = carried_out(run.steps[stage.kind], context, run.workspace.shared)
        used = processes.take_usage()
        seconds = time.monotonic() - began if used.wall_s is None else used.wall_s
        run.journal.end_step(run.run_id, stage.name, number, result, seconds, resources(result, used))
    except KeyboardInterrupt:
        run.journal.fail_step(run.run_id, stage.name, number, "interrupted", "stopped from outside")
        raise
    except Exception as error:
        failure = _named(error, run, stage, log_path)
        run.tell(stage, "failed", failure.what)
        run.journal.fail_step(run.run_id, stage.name, number, "failed", str(failure))
        raise failure from error
    run.tell(stage, "done", "", 1.0)
    return result


def carried_out(spec: StepSpec, context: StepContext, store: Path) -> Result:
    """The step's result: taken over from an earlier run where one made the same, else made now (and shared)."""
    if spec.elsewhere:
        return spec.run(context)
    if spec.shared and (result := take_shared(context, store)) is not None:
        context.report("taken over from an earlier run: same original, same parameters, same tools", None)
        return result
    require_room(context.plan, context.stage, context.workspace)
    result = spec.run(context)
    if spec.shared:
        share(context, result, store)
    return result


def resources(result: Result, used: Usage) -> dict[str, float]:
    """What a step took: peak memory of its largest tool, processor time of its tools, and what it left on the disk."""
    written = sum(record["bytes"] for record in result.get("artifacts", ()))
    ran = {"peak_memory_gib": used.peak_bytes / GIB, "cpu_s": used.cpu_s} if used.cpu_s or used.peak_bytes else {}
    return {**ran, **({"written_gib": written / GIB} if written else {})}


def _context(
    run: Run, stage: Stage, results: Mapping[str, Result], log_path: Path, processes: Processes
) -> StepContext:
    def report(message: str, fraction: float | None) -> None:
        run.tell(stage, "running", message, fraction)

    return StepContext(
        plan=run.plan,
        stage=stage,
        workspace=run.workspace.directory,
        results=results,
        log_path=log_path,
        report=report,
        toolchains=Toolchains(on_progress=report, processes=processes),
        processes=processes,
        finished=_finished(run, results),
        rungs=run.rungs(),
    )


def _finished(run: Run, results: Mapping[str, Result]) -> tuple[StepRecord, ...]:
    """The journal's records of the steps whose results this one may use, in the plan's order."""
    recorded = run.journal.steps(run.run_id)
    return tuple(recorded[stage.name] for stage in run.plan.stages if stage.name in results)


def _named(error: Exception, run: Run, stage: Stage, log_path: Path) -> ExecutionFailed:
    """The error as one that names its step and says how to go on."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        error = no_space_left(log_path.parent)
    go_on = f"mend what the log says, then go on: {run.resume} (finished steps are not repeated)"
    if isinstance(error, QuantplanError):
        where = f"step {stage.name}" + (f": {error.where}" if error.where else "")
        return ExecutionFailed(
            error.what, where=where, nearest=error.nearest, fix=go_on if error.fix in ("", RESUME) else error.fix
        )
    with log_path.open("a", encoding="utf-8") as log:
        traceback.print_exception(error, file=log)
    what = f"{type(error).__name__}: {error}\nThe whole log: {log_path}"
    return ExecutionFailed(what, where=f"step {stage.name}", fix=go_on)
