"""What a finished run measured, in place of what its plan predicted."""

from __future__ import annotations

from planner.costs.case import Throughput
from planner.errors import BadInput
from planner.plan import Plan, Span
from planner.ports import RunRecord

FIGURE = "output_tokens_per_s"


def predicted_throughput(plan: Plan) -> Throughput:
    """The plan's own throughput with its interval. BadInput when the speed model abstained."""
    prediction = plan.chosen.predicted(FIGURE)
    if prediction.value is None:
        raise BadInput(
            f"no cost without a throughput: {prediction.abstained or 'the plan predicts none'}",
            where=f"{plan.model.name} on {plan.hardware.label}",
            fix="measure it (`quantplan apply PLAN`), then `quantplan cost PLAN --run RUN_ID`",
        )
    span = Span(
        value=prediction.value,
        low=prediction.low or prediction.value,
        high=prediction.high or prediction.value,
    )
    return Throughput(span, prediction.source)


def measured_throughput(run: RunRecord) -> Throughput:
    """The throughput a run measured; it has no interval. BadInput when the run measured none."""
    found = next((finding for finding in run.findings if finding.name == FIGURE), None)
    if found is None or not found.measured:
        raise BadInput(
            f"run {run.run_id} measured no throughput",
            fix=f"let it finish (`quantplan apply PLAN` again), or name another run; `quantplan show {run.run_id}`",
        )
    rate = found.measured
    return Throughput(Span(value=rate, low=rate, high=rate), f"measured in run {run.run_id}", run.run_id)
