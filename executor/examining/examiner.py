"""The examiner of this machine: finds what is asked about, and puts it to work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.engines import engine_of
from executor.examining.addressing import engine_named, model_at
from executor.examining.evaluating import evaluate_run
from executor.examining.sides import Sides
from executor.load.bench import Bench
from planner.examining import BenchQuestion, EvaluationQuestion, OnMessage
from planner.ports import Executor, RunRecord
from planner.request import Workload


@dataclass(frozen=True, slots=True)
class LocalExaminer:
    """Implements `planner.examining.Examiner` for the runs of an executor, whose folders lie in `runs`."""

    executor: Executor
    runs: Path

    def bench(self, question: BenchQuestion, *, on_message: OnMessage) -> dict[str, Any]:
        """A URL is loaded as it is; a run's kept server too; else its model is started for it and stopped again."""
        if question.target.startswith(("http://", "https://")):
            url = question.target.rstrip("/").removesuffix("/v1")
            model = question.model or model_at(url)
            return Bench(url, engine_named(question.engine), model, Workload(), question, on_message).run()
        record = self.executor.show(question.target)
        engine, workload, sides = engine_of(record.plan), record.plan.request.workload, self._sides(record, on_message)
        if kept := next((d for d in record.deployments if d.state == "running"), None):
            name = engine.served_name(sides.model("served"), record.plan.model.name)
            return Bench(kept.url, engine, name, workload, question, on_message).run()
        with sides.serving("served") as served:
            return Bench(served.url, engine, served.name, workload, question, on_message).run()

    def evaluate(self, question: EvaluationQuestion, *, on_message: OnMessage) -> dict[str, Any]:
        """Both sides are started one after the other."""
        record = self.executor.show(question.run_id)
        return evaluate_run(self._sides(record, on_message), question)

    def _sides(self, record: RunRecord, on_message: OnMessage) -> Sides:
        return Sides(record, self.runs / record.run_id, on_message)
