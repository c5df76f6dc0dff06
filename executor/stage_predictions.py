"""Predictions that a plan's stages carry: bytes by tool and variant, the largest load."""

from __future__ import annotations

from collections.abc import Iterator

from planner.catalog import load_yaml
from planner.plan import Plan, Prediction, Stage, StageKind


def predictions_of(plan: Plan) -> list[Prediction]:
    """The candidate's in their order, a stage's in the place of one of the same name, new ones at their end."""
    carried = {prediction.name: prediction for prediction in _carried(plan)}
    own = [carried.pop(prediction.name, prediction) for prediction in plan.chosen.predictions]
    return [*own, *carried.values()]


def _carried(plan: Plan) -> Iterator[Prediction]:
    if written := _stage(plan, "check-artifact"):
        yield _bytes_written(written)
    if ramp := _stage(plan, "ramp"):
        yield _largest_load(ramp)


def _stage(plan: Plan, kind: StageKind) -> Stage | None:
    return next((stage for stage in plan.stages if stage.kind == kind), None)


def _bytes_written(stage: Stage) -> Prediction:
    by_class = stage.parameters.get("bytes_by_class") or {}
    value = float(stage.parameters.get("expected_bytes") or sum(by_class.values()))
    within = load_yaml("checks.yaml")["artifact"]
    return Prediction(
        name="artifact_bytes",
        value=value,
        low=value * (1 - within["error"]),
        high=value * (1 + within["error"]),
        source=within["source"],
    )


def _largest_load(stage: Stage) -> Prediction:
    return Prediction(
        name="largest_concurrency",
        value=stage.parameters["predicted"],
        source="quantplan simulate",
        abstained=stage.parameters["abstained"],
    )
