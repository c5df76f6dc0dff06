"""From a run's results to its report: every figure is looked up, none is made here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from executor.findings import measured_cost, relative_error
from executor.report.document import Fallback, File, Finding, MemoryPart, QualityResult, Report, StepTime
from executor.report.verdict import judge
from executor.stage_predictions import predictions_of
from executor.step import Result, StepContext
from executor.steps.earlier import result_of_kind
from planner.plan import Plan, Prediction, StageKind
from planner.ports import RungRecord, StepRecord

# Part of the engine's memory, its name among the measurements, the terms of the plan's sum that predict it.
PARTS = (
    ("weights", "weights_gib", ("weights", "scales and zeros", "16-bit remainder")),
    ("KV cache", "kv_cache_gib", ("KV cache",)),
    ("compute buffer", "compute_buffer_gib", ("compute buffer",)),
    ("repacked copy", "repacked_weights_gib", ("repacked copy",)),
    ("output buffer", "output_buffer_gib", ()),
)


def gather(context: StepContext, changed_originals: Sequence[str], versions: Mapping[str, str]) -> Report:
    """The whole report of the run that `context` is the last step of."""
    plan = context.plan

    def result(kind: StageKind) -> Result:
        return result_of_kind(context, kind) or {}

    found = [_finding(plan, record) for record in result("findings").get("findings", ())]
    launched, load, checked = result("launch"), result("load-test"), result("check-artifact")
    quality = _quality(result("evaluate"))
    return Report(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        plan=plan,
        verdict=judge(
            found,
            quality,
            load,
            checked,
            changed_originals,
            plan.request.service_level,
            calibrated=result("calibrate"),
            applied=result("check-applied"),
        ),
        findings=tuple(found),
        memory=tuple(_memory(plan, launched.get("memory", {}))),
        resident_gib=load.get("resident_gib") or launched.get("resident_gib"),
        quality=quality,
        load={name: value for name, value in load.items() if name != "artifacts"},
        exchanges=tuple(_exchanges(load)),
        measured_usd_per_1m_output_tokens=measured_cost(plan, load.get("output_tokens_per_s")),
        original_bytes=result("fetch").get("total_bytes", 0),
        artifact_types=stored_types(checked),
        server_command=tuple(launched.get("command", ())),
        first_completion=launched.get("first_completion", ""),
        steps=tuple(_step(record) for record in context.finished),
        fallbacks=tuple(_fallback(rung) for rung in context.rungs),
        files=tuple(_files(context.results)),
        versions=dict(versions),
        environment=describe_machine(),
    )


def stored_types(checked: Mapping[str, Any]) -> dict[str, int]:
    """How many tensors (of a GGUF file) or linear layers (of a checkpoint) are stored as what."""
    types: dict[str, int] = checked.get("types") or checked.get("schemes") or {}
    return types


def describe_machine() -> dict[str, str]:
    """What the run ran on, in words."""
    import os
    import platform

    import psutil

    from planner.units import GIB

    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "logical cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / GIB:.1f} GiB",
        "Python": platform.python_version(),
    }


def _finding(plan: Plan, record: Mapping[str, Any]) -> Finding:
    of_making = plan.quantizing.predictions if plan.quantizing else ()
    predictions = {prediction.name: prediction for prediction in (*of_making, *predictions_of(plan))}
    prediction: Prediction = predictions[record["name"]]
    return Finding(
        **record,
        relative_error=relative_error(record["predicted"], record["measured"]),
        measured_by=prediction.measured_by,
        source=prediction.source,
    )


def _memory(plan: Plan, measured: Mapping[str, float | None]) -> Iterator[MemoryPart]:
    for label, name, terms in PARTS:
        predicted = sum(plan.chosen.memory.gib(term) for term in terms) or None
        if predicted is not None or measured.get(name) is not None:
            yield MemoryPart(label=label, predicted_gib=predicted, measured_gib=measured.get(name))


def _quality(evaluated: Result) -> QualityResult | None:
    if "perplexity_before" not in evaluated:
        return None
    same_names = ("standard_error", "increase", "increase_percent", "tolerable", "max_increase", "max_increase_percent")
    return QualityResult(
        before=evaluated["perplexity_before"],
        after=evaluated["perplexity"],
        windows=evaluated["chunks"],
        window_tokens=evaluated["context_tokens"],
        tolerance_source=evaluated.get("tolerance_source"),
        text=evaluated["text"],
        **{name: evaluated[name] for name in same_names},
    )


def _exchanges(load: Result) -> list[dict[str, Any]]:
    for record in load.get("artifacts", ()):
        path = Path(record["path"])
        if path.name == "load-test.json" and path.is_file():
            exchanges: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["exchanges"]
            return exchanges
    return []


def _fallback(rung: RungRecord) -> Fallback:
    return Fallback(**{name: getattr(rung, name) for name in Fallback.model_fields})


def _step(record: StepRecord) -> StepTime:
    peak_gib = record.resources.get("peak_memory_gib")
    return StepTime(name=record.name, state=record.state, seconds=record.seconds, peak_memory_gib=peak_gib)


def _files(results: Mapping[str, Result]) -> Iterator[File]:
    for result in results.values():
        for record in result.get("artifacts", ()):
            yield File(name=Path(record["path"]).name, bytes=record["bytes"], sha256=record["sha256"])
