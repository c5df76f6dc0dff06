"""What quantizing takes: asked for before it begins, compared afterwards; and what fell back is in the report."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from executor.report import render_page
from executor.report.gathering import gather
from executor.resources import quantizing_findings, require_room
from planner.errors import ExecutionFailed
from planner.plan import Plan, Prediction, QuantizingNeeds
from planner.ports import RungRecord, StepRecord


def prediction(name: str, value: float) -> Prediction:
    return Prediction(name=name, value=value, low=value * 0.8, high=value * 1.2, source="a table")


def with_needs(plan: Plan, host_gib: float = 1.0, disk_gib: float = 0.5) -> Plan:
    needs = QuantizingNeeds(
        tool="llama.cpp",
        way="streamed",
        host_gib=prediction("quantizing_host_gib", host_gib),
        gpu_gib=prediction("quantizing_gpu_gib", 0.0),
        disk_gib=prediction("quantizing_disk_gib", disk_gib),
        minutes=prediction("quantizing_minutes", 1.0),
    )
    return plan.model_copy(update={"quantizing": needs})


def record(name: str, seconds: float, **resources: float) -> StepRecord:
    return StepRecord(name, "done", 0.0, seconds, {}, None, None, seconds, resources)


def test_too_little_memory_or_disk_is_said_before_it_begins(real_plan: Plan, tmp_path: Path) -> None:
    quantize = next(stage for stage in real_plan.stages if stage.kind == "quantize")
    require_room(with_needs(real_plan, host_gib=0.001, disk_gib=0.001), quantize, tmp_path)
    with pytest.raises(ExecutionFailed, match=r"quantizing takes about 9,999 GiB of host memory, and [\d.]+ GiB are"):
        require_room(with_needs(real_plan, host_gib=9999), quantize, tmp_path)
    with pytest.raises(ExecutionFailed) as caught:
        require_room(with_needs(real_plan, host_gib=0.001, disk_gib=1e6), quantize, tmp_path)
    assert caught.value.fix == (
        "free some space, or set QUANTPLAN_HOME to a larger disk, then apply again; or quantize on a larger machine"
    )
    launch = next(stage for stage in real_plan.stages if stage.kind == "launch")
    require_room(with_needs(real_plan, host_gib=9999), launch, tmp_path)


def test_what_it_took_is_held_against_the_prediction(real_plan: Plan) -> None:
    finished = (
        record("fetch", 5.0),
        record("convert", 42.0, peak_memory_gib=1.1, cpu_s=40.0, written_gib=0.3),
        record("quantize", 24.0, peak_memory_gib=0.6, cpu_s=20.0, written_gib=0.15),
    )
    found = {f.name: f for f in quantizing_findings(with_needs(real_plan), finished)}
    assert (found["quantizing_host_gib"].measured, found["quantizing_host_gib"].inside) == (1.1, True)
    assert (found["quantizing_disk_gib"].measured, found["quantizing_disk_gib"].inside) == (pytest.approx(0.45), True)
    assert (found["quantizing_minutes"].measured, found["quantizing_minutes"].inside) == (pytest.approx(1.1), True)
    assert "quantizing_gpu_gib" not in found, "no GPU is used, so there is nothing to tell"


def test_what_was_taken_over_from_an_earlier_run_is_not_measured(real_plan: Plan) -> None:
    finished = (record("convert", 0.1, written_gib=0.3), record("quantize", 0.1, written_gib=0.15))
    found = {f.name: f for f in quantizing_findings(with_needs(real_plan), finished)}
    assert found["quantizing_minutes"].measured is None and "made earlier" in found["quantizing_minutes"].note


def test_the_report_shows_what_the_run_fell_back_to(real_plan: Plan) -> None:
    rung = RungRecord(
        step="launch", trouble="memory", says="a buffer could not be allocated", evidence="failed to <allocate> buffer",
        log_path="logs/08-launch.attempt-1.log", change="4 requests at once", format="gguf-q4_k_m",
        rule="out-of-memory-half-the-sequences", because="Half as many hold half of it.",
        source="vllm.conserving-memory", taken_at=0.0,
    )  # fmt: skip
    context = SimpleNamespace(plan=real_plan, results={}, finished=(), rungs=(rung,))
    report = gather(context, [], {})  # type: ignore[arg-type]
    page = render_page(report)
    for words in ("4 requests at once", "failed to &lt;allocate&gt; buffer", "08-launch.attempt-1.log", rung.rule):
        assert words in page
    assert report.fallbacks[0].evidence == rung.evidence


def test_half_of_the_making_says_nothing_of_its_memory_and_time(real_plan: Plan) -> None:
    finished = (
        record("convert", 0.1, written_gib=0.3),
        record("quantize", 24.0, peak_memory_gib=0.01, cpu_s=20.0, written_gib=0.15),
    )
    found = {f.name: f for f in quantizing_findings(with_needs(real_plan), finished)}
    assert found["quantizing_host_gib"].measured is None
    assert found["quantizing_minutes"].measured is None
    assert found["quantizing_disk_gib"].measured == pytest.approx(0.45)
