"""Which rung comes next: the plan's first that answers the trouble, was not tried, and changes what failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from executor.ladder.diagnosing import Diagnosis
from planner.plan import Candidate, Plan, Stage

OF_THE_WEIGHTS = ("quality", "numerics")


@dataclass(frozen=True, slots=True)
class Fall:
    """One fall: at which step, from which candidate, for which trouble, to which rung of the plan (by index)."""

    step: str
    diagnosis: Diagnosis
    rung: int
    taken_at: float


def standing(plan: Plan, falls: Sequence[Fall]) -> Plan:
    """What is carried out after these falls: the plan, or the way of the last rung."""
    return plan.on_rung(plan.ladder[falls[-1].rung]) if falls else plan


def next_rung(plan: Plan, falls: Sequence[Fall], failed: Stage, diagnosis: Diagnosis) -> int | None:
    """The index of the rung to take; None when the plan has no answer."""
    now = standing(plan, falls)
    given_up = [(diagnosis.trouble, now.chosen), *_given_up(plan, falls)]
    tried = {fall.rung for fall in falls}
    for index, rung in enumerate(plan.ladder):
        if rung.on != diagnosis.trouble or index in tried:
            continue
        there = plan.on_rung(rung)
        if changes_what_failed(now, there, failed) and not any(_same(*given, there.chosen) for given in given_up):
            return index
    return None


def changes_what_failed(now: Plan, there: Plan, failed: Stage) -> bool:
    """Whether the rung does anything else up to what failed; if not (a broken original, say), it cannot help.

    What an evaluation finds wrong is the file it looked at, not the looking.
    """
    what = str(failed.parameters.get("artifact", failed.name)) if failed.kind == "evaluate" else failed.name
    return _up_to(now.stages, what) != _up_to(there.stages, what)


def _up_to(stages: Sequence[Stage], name: str) -> list[Stage]:
    names = [stage.name for stage in stages]
    return list(stages[: names.index(name) + 1]) if name in names else list(stages)


def _given_up(plan: Plan, falls: Sequence[Fall]) -> list[tuple[str, Candidate]]:
    """Every candidate that failed before, with its trouble."""
    candidates = [plan.chosen, *(plan.on_rung(plan.ladder[fall.rung]).chosen for fall in falls)]
    return [(fall.diagnosis.trouble, candidate) for fall, candidate in zip(falls, candidates, strict=False)]


def _same(trouble: str, failed: Candidate, next_: Candidate) -> bool:
    """Whether the next candidate would fail as this one did: the same weights, or no less memory."""
    if trouble in OF_THE_WEIGHTS:
        same_weights = (failed.format, failed.group_size) == (next_.format, next_.group_size)
        return same_weights and (trouble == "quality" or failed.engine_arguments == next_.engine_arguments)
    return trouble == "memory" and next_.memory.used_gib >= failed.memory.used_gib
