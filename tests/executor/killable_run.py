"""A run with small tools, to be killed from outside: `prepare` once, then `apply` as often as it takes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from fake_steps import FakeSteps, with_fake_stages

from executor.local import DEMO_MODEL, LocalExecutor
from executor.step import Result, StepContext
from executor.steps.spec import StepSpec
from planner.plan import StageKind, load_plan
from planner.planning import make_plan
from planner.request import Request

WORK = "import sys\nfor _ in range(int(sys.argv[1])): sum(range(10_000))"


class WithWork(FakeSteps):
    """The same steps; one of them runs a tool that does a fixed amount of work, where that is asked for."""

    rounds = 0

    def specs(self) -> Mapping[StageKind, StepSpec]:
        return {**super().specs(), "check-artifact": StepSpec(self._work)}

    def _work(self, context: StepContext) -> Result:
        if self.rounds:
            context.processes.run_tool([sys.executable, "-c", WORK, str(self.rounds)], context.log_path)
        return self._evaluate(context)


def prepare(base: Path) -> None:
    """An original and a plan for it."""
    original = base / "original"
    original.mkdir(parents=True)
    (original / "config.json").write_text("{}")
    (original / "model.safetensors").write_bytes(bytes(range(256)) * 4000)
    plan = make_plan(Request(model=str(DEMO_MODEL), hardware="cpu:8GB"))
    with_fake_stages(plan, original).write(base / "plan.json")


def apply(base: Path, marker: str, rounds: int = 0) -> None:
    """Apply the plan, or go on with it."""
    steps = WithWork(marker)
    steps.rounds = rounds
    executor = LocalExecutor(base / "home", steps.specs())
    executor.apply(load_plan(base / "plan.json"), on_event=lambda event: None)


def rounds_for(seconds: float) -> int:
    """How much work lasts about so long here."""
    few = 2000
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", WORK, str(few)], check=True)
    return round(few * seconds / (time.monotonic() - began))
