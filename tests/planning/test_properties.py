"""Whatever is asked, a plan never contradicts itself, and more memory never makes a fitting plan not fit."""

import os
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.errors import BadInput
from planner.hardware.catalogue import entries as accelerators
from planner.hardware.resolving import resolve_hardware
from planner.models.catalogue import entries as models
from planner.models.resolving import resolve_model
from planner.plan import Plan
from planner.planning.pipeline import make_plan, plan_for
from planner.request import Request, Workload
from planner.support import kernel_for
from planner.unfeasible import NoFeasiblePlan
from rules.book import load_book

TASKS = ("general", "chat", "code", "reasoning", "rag")
workloads = st.builds(
    Workload,
    input_tokens=st.integers(1, 30_000),
    output_tokens=st.integers(1, 4_000),
    concurrency=st.integers(1, 256),
    task=st.sampled_from(TASKS),
    precision_critical=st.booleans(),
    multi_turn=st.booleans(),
    may_calibrate=st.booleans(),
    quality_validated=st.booleans(),
)
hardware = st.builds(
    lambda name, count: f"{count}x{name}",
    st.sampled_from([entry.accelerator.name for entry in accelerators()]),
    st.sampled_from([1, 2, 4, 8]),
) | st.sampled_from(["cpu:64GB:16cores", "cpu:512GB:64cores"])
requests = st.builds(
    Request,
    model=st.sampled_from([entry.name for entry in models()]),
    hardware=hardware,
    workload=workloads,
    objective=st.sampled_from(["tree", "cost", "latency", "throughput", "quality"]),
)
often = settings(
    max_examples=int(os.environ.get("QUANTPLAN_EXAMPLES", "25")), deadline=None, suppress_health_check=list(HealthCheck)
)


def planned(request: Request) -> Plan | None:
    try:
        return make_plan(request)
    except (NoFeasiblePlan, BadInput):
        return None


@often
@given(requests)
def test_a_plan_never_contradicts_itself(request: Request) -> None:
    plan = planned(request)
    if plan is None:
        return
    chosen, vetoes = plan.chosen, next(d for d in plan.decisions if d.decision == "vetoes").answered_by
    avoided = {name for veto in vetoes for name in veto.outcome.get("avoid", ())}
    assert chosen.format not in avoided
    assert chosen.kv_cache not in {name for veto in vetoes for name in veto.outcome.get("avoid_kv", ())}
    assert chosen.engine not in {name for veto in vetoes for name in veto.outcome.get("avoid_engines", ())}
    assert chosen.memory.fits
    assert chosen.memory.used_gib <= chosen.memory.available_gib + 1e-6
    assert kernel_for(chosen.engine, chosen.format, resolve_hardware(request.hardware)) is not None
    assert chosen.tensor_parallel * chosen.replicas <= max(plan.hardware.count, 1)
    for prediction in chosen.predictions:
        if prediction.value is None:
            assert prediction.abstained
        else:
            assert prediction.low is not None
            assert prediction.high is not None
            assert prediction.low <= prediction.value <= prediction.high
    assert all(plan.on_rung(rung).chosen.memory.fits for rung in plan.ladder)
    assert plan.computed_digest() == plan.digest == Plan.model_validate_json(plan.model_dump_json()).digest


@often
@given(requests, st.floats(1.05, 4.0))
def test_more_memory_never_makes_a_fitting_plan_not_fit(request: Request, times: float) -> None:
    plan, place = planned(request), resolve_hardware(request.hardware)
    if plan is None or place.accelerator is None:
        return
    larger = replace(place, accelerator=replace(place.accelerator, memory_gib=place.accelerator.memory_gib * times))
    insisted = request.model_copy(update={"format": plan.chosen.format})
    model = resolve_model(request.model)
    before = plan_for(model, place, insisted, load_book()).chosen
    after = plan_for(model, larger, insisted, load_book()).chosen
    assert after.memory.fits
    assert after.tensor_parallel <= before.tensor_parallel
    assert plan_for(model, larger, request, load_book()).chosen.memory.fits, "nor does another choice of the rules"


@often
@given(requests)
def test_fewer_requests_at_once_never_need_more_memory(request: Request) -> None:
    plan = planned(request)
    if plan is None:
        return
    one = request.model_copy(
        update={"format": plan.chosen.format, "workload": request.workload.model_copy(update={"concurrency": 1})}
    )
    assert make_plan(one).chosen.memory.fits
