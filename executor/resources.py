"""What making the checkpoint takes: asked for before it begins, and compared with what it took afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from executor.findings import recorded
from planner.errors import ExecutionFailed
from planner.figures import memory
from planner.plan import Plan, Prediction, Stage, StageKind
from planner.ports import FindingRecord, StepRecord
from planner.units import GIB

MAKING: tuple[StageKind, ...] = ("convert", "calibrate", "quantize")
SECONDS_A_MINUTE = 60.0


def require_room(plan: Plan, stage: Stage, directory: Path) -> None:
    """ExecutionFailed when less host memory or disk space is free than quantizing is predicted to take."""
    if stage.kind != "quantize" or plan.quantizing is None:
        return
    import psutil

    needs = plan.quantizing
    _require("host memory", needs.host_gib, psutil.virtual_memory().available / GIB, "stop other programs", stage)
    space = "free some space, or set QUANTPLAN_HOME to a larger disk"
    _require("disk space", needs.disk_gib, shutil.disk_usage(directory).free / GIB, space, stage)


def _require(what: str, needed: Prediction, free_gib: float, remedy: str, stage: Stage) -> None:
    if needed.value is not None and needed.value > free_gib:
        raise ExecutionFailed(
            f"quantizing takes about {memory(needed.value)} of {what}, and {memory(free_gib)} are free",
            where=f"step {stage.name}",
            fix=f"{remedy}, then apply again; or quantize on a larger machine",
        )


def quantizing_findings(plan: Plan, finished: Sequence[StepRecord]) -> Iterator[FindingRecord]:
    """What quantizing took, against its prediction. Where a step was taken over from an
    earlier run, the rest alone says nothing of memory and time.
    """
    if plan.quantizing is None:
        return
    kinds = {stage.name: stage.kind for stage in plan.stages}
    made = [record for record in finished if kinds.get(record.name) in MAKING]
    ran = [record for record in made if "cpu_s" in record.resources]
    ran = ran if len(ran) == len(made) else []
    measured = {
        plan.quantizing.host_gib.name: max((r.resources["peak_memory_gib"] for r in ran), default=None),
        plan.quantizing.disk_gib.name: sum(r.resources.get("written_gib", 0.0) for r in made) or None,
        plan.quantizing.minutes.name: sum(r.seconds or 0.0 for r in ran) / SECONDS_A_MINUTE or None,
    }
    for prediction in plan.quantizing.predictions:
        if prediction.value == 0 and measured.get(prediction.name) is None:
            continue
        found = measured.get(prediction.name)
        yield recorded(prediction, found, _note(prediction, found))


def _note(prediction: Prediction, measured: float | None) -> str:
    if measured is None:
        return "not measured in this run: made earlier, or without a tool of its own"
    return f"not predicted: {prediction.abstained or 'no reason given'}" if prediction.value is None else ""
