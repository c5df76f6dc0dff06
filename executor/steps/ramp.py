"""Step `ramp`: the largest number of requests at once with which the server still meets its targets."""

from __future__ import annotations

from executor.engines import engine_of
from executor.load.bench import Bench
from executor.step import Result, StepContext
from executor.steps.earlier import parameter, result_of_kind
from planner.examining import BenchQuestion


def ramp(context: StepContext) -> Result:
    """{ramp, judged_at, largest, is_bounded, points, engine_metrics}: the load doubled until the service level is
    missed at the stage's percentile, then halved in between. `largest` is None where one request alone misses it.
    """
    served = result_of_kind(context, "launch") or {}
    level = context.plan.request.service_level
    question = BenchQuestion(served["url"], ramp=True, at=str(parameter(context, "at")), service_level=level)

    def say(message: str) -> None:
        context.report(message, None)

    workload = context.plan.request.workload
    return Bench(served["url"], engine_of(context.plan), served["model_name"], workload, question, say).run()
