"""Every prediction of a plan against its measurement: inside its interval or not, by how much, and the likely cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from executor.stage_predictions import predictions_of
from executor.step import Result
from planner.costs import usd_per_1m_tokens
from planner.plan import Plan, Prediction, StageKind
from planner.ports import FindingRecord

SPEED = {"ttft_ms", "tpot_ms", "output_tokens_per_s", "usd_per_1m_output_tokens"}


def findings_of(plan: Plan, results: Mapping[str, Result]) -> list[FindingRecord]:
    """One record a figure that was predicted or measured: the chosen candidate's in their order, then the stages'."""
    measured = measurements(plan, results)
    load, spread = _result(plan, results, "load-test"), spread_over(plan, results)
    told = [p for p in predictions_of(plan) if p.value is not None or measured.get(p.name) is not None]
    return [compare(p, measured.get(p.name), load, spread if p in plan.chosen.predictions else "") for p in told]


def compare(prediction: Prediction, measured: float | None, load: Result, spread: str = "") -> FindingRecord:
    """One prediction against one measurement, with the likely cause where the load test knows one, or `spread` is."""
    inside = is_inside(prediction, measured)
    note = _note(prediction, measured, inside, load)
    return recorded(prediction, measured, spread if spread and inside is False else note)


def spread_over(plan: Plan, results: Mapping[str, Result]) -> str:
    """What is to be said of a server spread over more nodes than it was planned for; empty where it was not."""
    workers = _result(plan, results, "launch").get("workers", ())
    return f"served from {len(workers)} nodes, and predicted for one" if workers and plan.chosen.nodes == 1 else ""


def is_inside(prediction: Prediction, measured: float | None) -> bool | None:
    """Whether the measurement lies in the interval; None where either is missing."""
    if measured is None or prediction.low is None or prediction.high is None:
        return None
    return prediction.low <= measured <= prediction.high


def recorded(prediction: Prediction, measured: float | None, note: str) -> FindingRecord:
    """The record of one prediction and its measurement."""
    return FindingRecord(
        name=prediction.name,
        unit=prediction.unit,
        predicted=prediction.value,
        low=prediction.low,
        high=prediction.high,
        measured=measured,
        inside=is_inside(prediction, measured),
        note=note,
    )


def relative_error(predicted: float | None, measured: float | None) -> float | None:
    """measured / predicted - 1; None where either is missing or zero was predicted."""
    if predicted is None or measured is None or predicted == 0:
        return None
    return measured / predicted - 1


def measurements(plan: Plan, results: Mapping[str, Result]) -> dict[str, float | None]:
    """What the run measured, by the predictions' names."""
    memory = _result(plan, results, "launch").get("memory", {})
    load = _result(plan, results, "load-test")
    rate, ramp = load.get("output_tokens_per_s"), _result(plan, results, "ramp")
    return {
        "artifact_bytes": _result(plan, results, "check-artifact").get("tensor_bytes"),
        "weights_gib": memory.get("weights_gib"),
        "kv_cache_gib": memory.get("kv_cache_gib"),
        "kv_tokens": memory.get("kv_tokens"),
        "host_memory_gib": load.get("resident_gib"),
        "compute_buffer_gib": memory.get("compute_buffer_gib"),
        "host_weights_gib": memory.get("host_weights_gib"),
        "host_kv_cache_gib": memory.get("host_kv_cache_gib"),
        "host_compute_buffer_gib": memory.get("host_compute_buffer_gib"),
        "ttft_ms": (load.get("ttft_ms") or {}).get("mean"),
        "tpot_ms": (load.get("tpot_ms") or {}).get("mean"),
        "output_tokens_per_s": rate,
        "largest_concurrency": (ramp["largest"] or 0.0) if ramp else None,
        "perplexity_increase_percent": _result(plan, results, "evaluate").get("increase_percent"),
        "usd_per_1m_output_tokens": measured_cost(plan, rate),
    }


def measured_cost(plan: Plan, output_tokens_per_s: float | None) -> float | None:
    """USD per million output tokens at the measured throughput; None without a price or a throughput."""
    cost = plan.chosen.cost
    if cost is None or not output_tokens_per_s:
        return None
    return usd_per_1m_tokens(cost.usd_per_hour, output_tokens_per_s, cost.utilisation)


def as_plain(finding: FindingRecord) -> dict[str, Any]:
    """A record as JSON values; its fields are those of FindingRecord."""
    return {name: getattr(finding, name) for name in FindingRecord.__slots__}


def _result(plan: Plan, results: Mapping[str, Result], kind: StageKind) -> Result:
    """What the last stage of that kind returned; empty where there is none."""
    names = [stage.name for stage in plan.stages if stage.kind == kind]
    return results.get(names[-1], {}) if names else {}


def _note(prediction: Prediction, measured: float | None, inside: bool | None, load: Result) -> str:
    if measured is None:
        return "not measured in this run"
    if prediction.value is None:
        return f"not predicted: {prediction.abstained or 'no reason given'}"
    if inside is None:
        return "predicted without an interval"
    return "" if inside else "; ".join(_causes(prediction, measured, load)) or "the prediction's model is off here"


def _causes(prediction: Prediction, measured: float, load: Result) -> Iterator[str]:
    """What the run saw that may explain a figure outside its interval. Only what was observed is named."""
    if prediction.name not in SPEED:
        return
    if load.get("errors"):
        yield f"{load['errors']} of {load['requests']} requests failed"
    if load.get("short_requests"):
        yield f"{load['short_requests']} requests ended before their planned length"
    other = round(load.get("cpu", {}).get("other_cores", 0.0), 1)
    slower = (measured < (prediction.low or 0)) == (prediction.name == "output_tokens_per_s")
    if slower and other > 0:
        yield f"other programs used {other} of {load['cpu']['machine_cores']:.0f} cores during the load test"
