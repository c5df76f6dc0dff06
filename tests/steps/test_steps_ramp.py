"""`apply --ramp`: another step, on the plan and on each of its rungs, whose answer stands among the findings."""

from __future__ import annotations

import pytest
from example_plan import example_plan

from executor.findings import findings_of
from executor.steps.launch import launch
from executor.steps.ramp import ramp
from planner.errors import BadInput
from planner.plan import Plan
from planner.planning import make_plan
from planner.ramping import with_ramp
from planner.request import Request, ServiceLevel, Workload

MADE = {"quantize": {"path": "model-q4_k_m.gguf"}}


def with_targets(plan: Plan, **targets: float) -> Plan:
    level = ServiceLevel(**targets)
    return plan.model_copy(update={"request": plan.request.model_copy(update={"service_level": level})})


def on_a_gpu(**targets: float) -> Plan:
    workload = Workload(input_tokens=512, output_tokens=64, concurrency=32)
    return make_plan(
        Request(model="llama-3.1-8b", hardware="1xA100-80GB", workload=workload, service_level=ServiceLevel(**targets))
    )


def test_the_step_stands_behind_the_load_test_of_every_way() -> None:
    plan = on_a_gpu(ttft_ms=2000, tpot_ms=50)
    raised = with_ramp(plan)
    assert raised.digest != plan.digest, "another plan is another run"
    for way in (raised, *(raised.on_rung(rung) for rung in raised.ladder)):
        names = [stage.name for stage in way.stages]
        assert names[names.index("load-test") + 1] == "ramp"


def test_the_simulator_says_what_to_expect_where_it_can_time_the_steps() -> None:
    plan = on_a_gpu()

    def expected(**targets: float) -> int:
        raised = with_ramp(with_targets(plan, **targets))
        return next(stage.parameters["predicted"] for stage in raised.stages if stage.kind == "ramp")

    assert 1 <= expected(ttft_ms=1000) < expected(ttft_ms=4000)
    assert expected(tpot_ms=0.001) == 0


def test_on_a_cpu_it_says_that_it_cannot() -> None:
    workload = Workload(input_tokens=64, output_tokens=8, concurrency=2)
    asked = Request(model="llama-3.1-8b", hardware="cpu:64GB", workload=workload)
    plan = with_targets(make_plan(asked), tpot_ms=500)
    stage = next(stage for stage in with_ramp(plan).stages if stage.kind == "ramp")
    assert stage.parameters["predicted"] is None and "accelerator" in stage.parameters["abstained"]


def test_without_a_target_there_is_nothing_to_find() -> None:
    with pytest.raises(BadInput) as refused:
        with_ramp(example_plan())
    assert str(refused.value) == (
        "--ramp: a ramp needs a target to miss\nTo fix: plan again with --ttft-ms, --tpot-ms or both"
    )


def test_the_largest_load_is_found_on_a_server_and_told(make_context) -> None:
    """The fake server waits the same for every request: no load is too much for a wide target, any for a narrow one."""
    narrow = with_ramp(with_targets(example_plan(), ttft_ms=0.001))
    launched = {**MADE, "launch": launch(make_context("launch", MADE, plan=narrow))}
    found = ramp(make_context("ramp", launched, plan=narrow))
    assert (found["largest"], found["is_bounded"], found["judged_at"]) == (None, True, "p95")
    assert found["points"][0]["missed"][0].startswith("p95 ttft_ms")
    told = next(f for f in findings_of(narrow, {**launched, "ramp": found}) if f.name == "largest_concurrency")
    assert (told.measured, told.unit) == (0.0, "requests at once") and told.note.startswith("not predicted: ")
