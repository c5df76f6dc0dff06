"""What one run made, another takes over: only when it comes from the same things, and only while it is unaltered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_steps import FakeSteps

from executor.local import LocalExecutor
from planner.plan import Plan
from planner.ports import Event, RunRecord

MADE = ("convert", "quantize")


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The versions in use; a test may change them."""
    versions = ["llama.cpp 1"]
    monkeypatch.setattr("executor.sharing.tools_in_use", lambda context: list(versions))
    return versions


@pytest.fixture
def sharing(home: Path, steps: FakeSteps, tools: list[str]) -> LocalExecutor:
    specs = {kind: replace(spec, shared=kind in MADE) for kind, spec in steps.specs().items()}
    return LocalExecutor(home, specs)


def quiet(event: Event) -> None:
    pass


def planned_anew(plan: Plan) -> Plan:
    """The same question asked at another time: another digest, so another run."""
    return plan.model_copy(update={"created_at": "2026-11-22T00:00:00Z"}).sealed()


def made_file(record: RunRecord, name: str) -> Path:
    return Path(next(step.result["path"] for step in record.steps if step.name == name))


def test_another_run_takes_over_what_was_made(sharing: LocalExecutor, plan: Plan, steps: FakeSteps) -> None:
    first = sharing.apply(plan, on_event=quiet)
    steps.ran.clear()
    events: list[Event] = []
    second = sharing.apply(planned_anew(plan), on_event=events.append)
    assert second.run_id != first.run_id and not set(MADE) & set(steps.ran) and "launch" in steps.ran
    for name in MADE:
        one, other = made_file(first, name), made_file(second, name)
        assert one != other and one.samefile(other), "a link, which costs no space"
    told = [event.message for event in events if event.step == "convert" and event.state == "running"]
    assert told[-1] == "taken over from an earlier run: same original, same parameters, same tools"


def test_another_original_is_converted_anew(
    sharing: LocalExecutor, plan: Plan, steps: FakeSteps, original: Path
) -> None:
    sharing.apply(plan, on_event=quiet)
    (original / "model.safetensors").write_bytes(b"trained further")
    steps.ran.clear()
    sharing.apply(planned_anew(plan), on_event=quiet)
    assert set(MADE) <= set(steps.ran)


def test_other_tools_make_it_anew(sharing: LocalExecutor, plan: Plan, steps: FakeSteps, tools: list[str]) -> None:
    sharing.apply(plan, on_event=quiet)
    tools[0] = "llama.cpp 2"
    steps.ran.clear()
    sharing.apply(planned_anew(plan), on_event=quiet)
    assert set(MADE) <= set(steps.ran)


def test_other_parameters_make_only_that_step_anew(sharing: LocalExecutor, plan: Plan, steps: FakeSteps) -> None:
    sharing.apply(plan, on_event=quiet)
    stages = [
        stage.model_copy(update={"parameters": {**stage.parameters, "format": "another"}})
        if stage.name == "quantize"
        else stage
        for stage in plan.stages
    ]
    steps.ran.clear()
    sharing.apply(plan.model_copy(update={"stages": tuple(stages)}).sealed(), on_event=quiet)
    assert "quantize" in steps.ran and "convert" not in steps.ran


def test_an_altered_copy_is_dropped_and_made_anew(sharing: LocalExecutor, plan: Plan, steps: FakeSteps) -> None:
    """Altering one run's file alters its hard link too; neither may be taken for what it was."""
    first = sharing.apply(plan, on_event=quiet)
    good = made_file(first, "convert").read_bytes()
    with made_file(first, "convert").open("r+b") as file:
        file.write(b"flipped")
    steps.ran.clear()
    second = sharing.apply(planned_anew(plan), on_event=quiet)
    assert "convert" in steps.ran and made_file(second, "convert").read_bytes() == good


def test_a_kill_while_sharing_leaves_nothing_that_is_taken(
    sharing: LocalExecutor, plan: Plan, steps: FakeSteps, home: Path
) -> None:
    half = home / "artifacts" / "abc.partial-1"
    half.mkdir(parents=True)
    (half / "record.json").write_text("{")
    sharing.apply(plan, on_event=quiet)
    assert not half.exists() and len(list((home / "artifacts").iterdir())) == len(MADE)
