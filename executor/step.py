"""What a step of a run is: a function from its context to a JSON result, idempotent, writing only in its workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from executor.processes import Processes
from executor.toolchains import Toolchains
from planner.plan import Plan, Stage
from planner.ports import RungRecord, StepRecord

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StepContext:
    """All a step may use. `results`: what earlier steps returned, by stage name; `report` tells progress (0-1, None).

    `finished` is what the journal holds of the earlier steps, and `rungs` what it fell back to, for the report.
    """

    plan: Plan
    stage: Stage
    workspace: Path
    results: Mapping[str, Result]
    log_path: Path
    report: Callable[[str, float | None], None]
    toolchains: Toolchains
    processes: Processes
    finished: tuple[StepRecord, ...] = ()
    rungs: tuple[RungRecord, ...] = ()


class Step(Protocol):
    """Runs one stage. Raises ExecutionFailed (or any QuantplanError) with what went wrong and how to fix it."""

    def __call__(self, context: StepContext) -> Result: ...
