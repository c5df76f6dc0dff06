"""What runs teach: the second plan on a machine is closer than the first, and says what it rests on."""

from __future__ import annotations

import random
import threading
from dataclasses import replace
from math import exp
from pathlib import Path

import pytest

from planner.errors import BadInput
from planner.hardware.hardware import Cpu, Hardware
from planner.hardware.resolving import resolve_hardware
from planner.learned.correcting import corrected, narrowed, width
from planner.learned.lessons import (
    Lesson,
    configuration,
    forget_lessons,
    held,
    lessons_for,
    lessons_path,
    machine_of,
    read_lessons,
    write_lessons,
)
from planner.models.resolving import resolve_model
from planner.plan import Plan
from planner.planning import make_plan
from planner.planning.pipeline import plan_for
from planner.request import Request, Workload
from planner.speed.estimate import Estimate, Speed
from rules.book import load_book

HERE = Hardware(
    label="here",
    cpu=Cpu("A small CPU", 2, 8.0, ("AVX2",), bandwidth_gb_s=20.0, matmul_gflops=100.0),
    detected=True,
)
DEMO = str(Path(__file__).parents[2] / "executor" / "demo" / "pydocs-3m")
LOAD = Workload(input_tokens=128, output_tokens=64, concurrency=4)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUANTPLAN_HOME", str(tmp_path))
    monkeypatch.delenv("QUANTPLAN_LEARNED", raising=False)
    return tmp_path


def planned(hardware: Hardware = HERE, workload: Workload = LOAD) -> Plan:
    request = Request(model=DEMO, hardware=hardware.label, workload=workload)
    return plan_for(resolve_model(DEMO), hardware, request, load_book())


def lesson(plan: Plan, figure: str, measured: float, run_id: str = "05605ef64858", at: float = 1.0) -> Lesson:
    prediction = plan.chosen.predicted(figure)
    return Lesson(
        machine="1 x A small CPU, 8 GiB",
        engine=plan.chosen.engine,
        engine_version=plan.chosen.engine_version,
        kernel=plan.chosen.kernel,
        configuration=configuration(plan.model.name, plan.chosen.format, plan.request.workload),
        figure=figure,
        predicted=prediction.before_learning or prediction.value or 0.0,
        measured=measured,
        run_id=run_id,
        measured_at=at,
    )


def test_the_second_plan_is_closer_narrower_and_names_the_run() -> None:
    first = planned()
    before = first.chosen.predicted("tpot_ms")
    measured = (before.value or 0.0) * 1.4
    write_lessons(lessons_path(), [lesson(first, "tpot_ms", measured)])
    after = planned().chosen.predicted("tpot_ms")
    assert after.value and before.value and before.value < after.value < measured, "closer, and not beyond one run"
    assert abs(after.value / measured - 1) < abs(before.value / measured - 1)
    assert (after.high or 0) / (after.low or 1) < (before.high or 0) / (before.low or 1)
    assert after.source.startswith("measured on this machine, run 05605ef64858; before: ")
    assert after.before_learning == before.value
    throughput = planned().chosen.predicted("output_tokens_per_s")
    assert throughput == first.chosen.predicted("output_tokens_per_s"), "what was not measured stays as it was"


def test_learning_twice_from_the_same_measurement_does_not_compound() -> None:
    first = planned()
    measured = (first.chosen.predicted("tpot_ms").value or 0.0) * 1.4
    write_lessons(lessons_path(), [lesson(first, "tpot_ms", measured)])
    second = planned()
    write_lessons(
        lessons_path(), [lesson(first, "tpot_ms", measured), lesson(second, "tpot_ms", measured, "bbbb", at=2.0)]
    )
    third = planned().chosen.predicted("tpot_ms")
    assert third.before_learning == first.chosen.predicted("tpot_ms").value
    assert (second.chosen.predicted("tpot_ms").value or 0) < (third.value or 0) < measured
    assert third.source.startswith("measured on this machine, run bbbb and 1 more; before: ")


def test_another_load_is_shifted_but_no_surer() -> None:
    first, other = planned(), Workload(input_tokens=64, output_tokens=32, concurrency=2)
    before = planned(workload=other).chosen.predicted("tpot_ms")
    measured = (first.chosen.predicted("tpot_ms").value or 0.0) * 1.4
    write_lessons(lessons_path(), [lesson(first, "tpot_ms", measured)])
    after = planned(workload=other).chosen.predicted("tpot_ms")
    factor = (after.value or 0) / (before.value or 1)
    assert factor == pytest.approx(exp(0.5 * 0.3365), rel=1e-3), "half of ln 1.4: one run, half of the variance shared"
    assert (after.high or 0) / (after.low or 1) == pytest.approx((before.high or 0) / (before.low or 1))
    assert "with another model or load, run 05605ef64858" in after.source


def test_the_narrowed_interval_holds_as_often_as_it_says() -> None:
    """Machines drawn as the model says, three runs learnt, a fourth predicted: 90 % within, give or take."""
    draw, inside, tries = random.Random(7), 0, 4000
    spread, own = 0.2, 0.25
    half = 1.645 * (spread**2 + own**2) ** 0.5
    estimate = Estimate(10.0, 10.0 * exp(-half), 10.0 * exp(half), "constants")
    template = lesson(planned(), "tpot_ms", 1.0)
    for _ in range(tries):
        machine = draw.gauss(0, own)
        runs = [10.0 * exp(machine + draw.gauss(0, spread)) for _ in range(4)]
        learnt = [template.model_copy(update={"predicted": 10.0, "measured": run}) for run in runs[:3]]
        found = narrowed(estimate, learnt, spread)
        inside += (found.low or 0) <= runs[3] <= (found.high or 0)
    assert 0.88 < inside / tries < 0.92
    assert width(narrowed(estimate, learnt, spread)) < width(estimate)


def test_nothing_is_learnt_for_declared_hardware_or_another_machine_or_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    first = planned()
    write_lessons(lessons_path(), [lesson(first, "tpot_ms", 9.9)])
    assert lessons_for(HERE, "llama.cpp", first.chosen.kernel)
    assert not lessons_for(replace(HERE, detected=False), "llama.cpp", first.chosen.kernel)
    assert not lessons_for(replace(HERE, cpu=Cpu("Another CPU", 2, 8.0)), "llama.cpp", first.chosen.kernel)
    assert not lessons_for(HERE, "llama.cpp", "another kernel")
    monkeypatch.setenv("QUANTPLAN_LEARNED", "off")
    assert planned().chosen.predictions == first.chosen.predictions


def test_a_figure_that_is_not_predicted_is_not_corrected() -> None:
    nothing = Speed.unknown("no constants")
    assert corrected(nothing, [lesson(planned(), "tpot_ms", 2.0)], "any") == nothing


def test_a_broken_file_is_named_with_the_way_out(home: Path) -> None:
    (home / "learned.json").write_text("[{}]")
    with pytest.raises(BadInput) as caught:
        read_lessons(lessons_path())
    assert str(caught.value) == (
        f"{home / 'learned.json'}: not what quantplan learnt: Field required\n"
        "To fix: forget it: quantplan learned --forget"
    )


def test_a_plan_for_declared_gpus_takes_what_others_measured_on_such_gpus_and_names_them() -> None:
    asked = Request(model="llama-3.1-8b", hardware="1xA100-80GB")
    first = make_plan(asked)
    before = first.chosen.predicted("tpot_ms").value or 0.0
    accelerator = resolve_hardware("1xA100-80GB")
    measured = lesson(first, "tpot_ms", before * 1.3).model_copy(update={"machine": machine_of(accelerator)})
    write_lessons(lessons_path(), [measured])
    assert make_plan(asked).chosen.predicted("tpot_ms").value == before, "what this machine learnt is of this machine"
    write_lessons(lessons_path(), [measured.model_copy(update={"executor": "box-7"})])
    after = make_plan(asked).chosen.predicted("tpot_ms")
    assert before < (after.value or 0.0) < before * 1.3
    assert "box-7" in after.source


def test_forgetting_waits_for_whoever_is_adding(tmp_path: Path) -> None:
    """Else what was read before it was forgotten would be written back."""
    path = tmp_path / "learned.json"
    write_lessons(path, [])
    forgetting = threading.Thread(target=forget_lessons, args=(path,))
    with held(path):
        forgetting.start()
        forgetting.join(0.1)
        assert forgetting.is_alive() and path.exists()
    forgetting.join()
    assert not path.exists()
