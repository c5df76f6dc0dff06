"""A run teaches later plans: once, when it was quiet, and only of the machine it ran on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from fake_steps import FakeSteps

from executor.local import LocalExecutor
from executor.step import Result, StepContext
from executor.steps.spec import StepSpec
from planner.learned.lessons import lessons_path, read_lessons
from planner.plan import Plan
from planner.ports import ApplyOptions, Event

QUIET = {"other_cores": 0.1, "machine_cores": 2.0}


class Measuring(FakeSteps):
    """A load test that says how busy the machine was, and findings that name a speed."""

    cpu: Mapping[str, float] = QUIET

    def specs(self) -> Mapping[str, StepSpec]:  # type: ignore[override]
        return {
            **super().specs(),
            "load-test": StepSpec(lambda context: {**self._load_test(context), "cpu": dict(self.cpu)}),
            "findings": StepSpec(self._speeds),
        }

    def _speeds(self, context: StepContext) -> Result:
        found = {"name": "tpot_ms", "unit": "ms", "predicted": 2.0, "low": 1.0, "high": 4.0, "measured": 3.0,
                 "inside": True, "note": ""}  # fmt: skip
        return {"findings": [found]}


@pytest.fixture
def steps() -> Measuring:
    return Measuring(marker="quantplan-test-learning")


@pytest.fixture
def plan(plan: Plan) -> Plan:
    """A plan for this machine, with a speed predicted."""
    predictions = tuple(
        p.model_copy(update={"value": 2.0, "low": 1.0, "high": 4.0, "abstained": None}) if p.name == "tpot_ms" else p
        for p in plan.chosen.predictions
    )
    chosen = plan.chosen.model_copy(update={"predictions": predictions})
    here = plan.hardware.model_copy(update={"detected": True, "name": "A small CPU", "memory_gib": 8.0})
    return plan.model_copy(update={"chosen": chosen, "hardware": here}).sealed()


def told(executor: LocalExecutor, plan: Plan, options: ApplyOptions = ApplyOptions()) -> list[str]:  # noqa: B008
    events: list[Event] = []
    executor.apply(plan, on_event=events.append, options=options)
    return [event.message for event in events if event.state == "learned"]


def test_a_quiet_run_is_kept_once_with_its_provenance(executor: LocalExecutor, plan: Plan, home: Path) -> None:
    assert told(executor, plan) == ["kept for later plans on this machine (quantplan learned)"]
    assert told(executor, plan) == [], "applying again teaches nothing new"
    (lesson,) = read_lessons(lessons_path(home))
    assert (lesson.machine, lesson.engine, lesson.figure) == ("1 x A small CPU, 8 GiB", "llama.cpp", "tpot_ms")
    assert (lesson.predicted, lesson.measured, lesson.run_id) == (2.0, 3.0, executor.runs()[0].run_id)


def test_a_run_beside_other_work_teaches_nothing(
    executor: LocalExecutor, plan: Plan, steps: Measuring, home: Path
) -> None:
    steps.cpu = {"other_cores": 0.6, "machine_cores": 2.0}
    assert told(LocalExecutor(home, steps.specs()), plan) == ["nothing learnt: other programs used 0.6 of 2 cores"]
    assert read_lessons(lessons_path(home)) == ()


def test_a_run_on_fewer_cores_teaches_nothing(executor: LocalExecutor, plan: Plan, home: Path) -> None:
    said = told(executor, plan, ApplyOptions(cores=1))
    assert said == ["nothing learnt: the run was held to fewer cores than the machine has"]


def test_a_plan_for_declared_hardware_teaches_nothing_and_says_nothing(
    executor: LocalExecutor, plan: Plan, home: Path
) -> None:
    declared = plan.model_copy(update={"hardware": plan.hardware.model_copy(update={"detected": False})}).sealed()
    assert told(executor, declared) == [] and read_lessons(lessons_path(home)) == ()
