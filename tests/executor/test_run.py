"""A run: done once, resumed after a kill at any step, verified when applied again."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_steps import KINDS, FakeSteps, with_fake_stages
from left_over import gone, in_child

from executor.applying import files
from executor.local import LocalExecutor
from planner.errors import BadInput, ExecutionFailed
from planner.plan import Plan
from planner.ports import Event, RunRecord


def quiet(event: Event) -> None:
    pass


def artefacts(record: RunRecord) -> dict[str, tuple[int, str]]:
    """What the run made: file name -> size and checksum."""
    made = [record_ for step in record.steps for record_ in files(step.result)]
    return {Path(made_["path"]).name: (made_["bytes"], made_["sha256"]) for made_ in made}


def test_runs_every_stage_in_order_and_remembers_it(executor: LocalExecutor, plan: Plan, steps: FakeSteps) -> None:
    events: list[Event] = []
    record = executor.apply(plan, on_event=events.append)
    assert record.state == "done"
    assert steps.ran == list(KINDS)
    assert [e.step for e in events if e.state == "done"] == list(KINDS)
    assert [f.name for f in record.findings] == ["output_tokens"] and record.findings[0].inside is True
    assert Path(record.report_path or "").is_file()
    assert executor.show(record.run_id[:5]) == record
    assert list(executor.runs()) == [record]
    assert gone(steps.marker)


def test_applying_a_finished_plan_again_verifies_and_runs_nothing(
    executor: LocalExecutor, plan: Plan, steps: FakeSteps
) -> None:
    first = executor.apply(plan, on_event=quiet)
    events: list[Event] = []
    again = executor.apply(plan, on_event=events.append)
    assert steps.ran == list(KINDS)
    assert {e.state for e in events} == {"skipped"}
    assert again.state == "done" and artefacts(again) == artefacts(first)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, real_plan: Plan) -> RunRecord:
    """The same plan, applied without any mishap."""
    original = tmp_path_factory.mktemp("original")
    (original / "model.safetensors").write_bytes(bytes(range(256)) * 40)
    executor = LocalExecutor(tmp_path_factory.mktemp("undisturbed"), FakeSteps(marker="undisturbed").specs())
    return executor.apply(with_fake_stages(real_plan, original), on_event=quiet)


@pytest.mark.parametrize("moment", ["midway", "after", "recorded"])
@pytest.mark.parametrize("stage", KINDS)
def test_kill_9_at_any_moment_then_apply_again_gives_the_same_result(
    stage: str, moment: str, home: Path, undisturbed: RunRecord, steps: FakeSteps
) -> None:
    plan = undisturbed.plan
    steps.kill_at = (stage, moment)

    def apply_and_die() -> None:
        def on_event(event: Event) -> None:
            if event.state == "done":
                steps.die(event.step, "recorded")

        LocalExecutor(home, steps.specs()).apply(plan, on_event=on_event)

    assert in_child(apply_and_die) == -signal.SIGKILL
    assert gone(steps.marker), "the killed run left a process behind"

    steps.kill_at = None
    executor = LocalExecutor(home, steps.specs())
    assert executor.runs()[0].state == "interrupted"
    record = executor.apply(plan, on_event=quiet)
    assert record.state == "done"
    assert artefacts(record) == artefacts(undisturbed)
    assert record.findings == undisturbed.findings
    assert not list(home.rglob("*.partial-*"))
    assert gone(steps.marker)


def test_resuming_runs_only_what_is_missing_and_relaunches_the_server_for_it(
    executor: LocalExecutor, plan: Plan, steps: FakeSteps
) -> None:
    steps.kill_at = ("load-test", "before")
    in_child(lambda: executor.apply(plan, on_event=quiet))
    steps.kill_at = None
    executor.apply(plan, on_event=quiet)
    assert steps.ran == ["launch", "load-test", "findings", "report"]


def test_a_server_nobody_needs_any_more_is_not_launched_again(
    executor: LocalExecutor, plan: Plan, steps: FakeSteps
) -> None:
    steps.kill_at = ("report", "before")
    in_child(lambda: executor.apply(plan, on_event=quiet))
    steps.kill_at = None
    executor.apply(plan, on_event=quiet)
    assert steps.ran == ["report"]


def test_an_altered_artefact_is_noticed_and_made_again(executor: LocalExecutor, plan: Plan, steps: FakeSteps) -> None:
    first = executor.apply(plan, on_event=quiet)
    made = next(home_file for home_file in Path(first.report_path or "").parent.rglob("quantize.gguf"))
    content = made.read_bytes()
    made.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    steps.ran.clear()
    again = executor.apply(plan, on_event=quiet)
    assert steps.ran == ["quantize"]
    assert made.read_bytes() == content and artefacts(again) == artefacts(first)


def test_when_a_remade_artefact_differs_everything_after_it_is_done_again(
    executor: LocalExecutor, plan: Plan, steps: FakeSteps
) -> None:
    first = executor.apply(plan, on_event=quiet)
    journalled = next(step for step in first.steps if step.name == "convert")
    made = Path(journalled.result["path"])
    made.unlink()
    remake = steps._make

    def otherwise(context):  # type: ignore[no-untyped-def]
        result = remake(context)
        if context.stage.name == "convert":
            result["artifacts"][0]["sha256"] = "0" * 64
        return result

    steps._make = otherwise  # type: ignore[method-assign]
    steps.ran.clear()
    LocalExecutor(executor._home, steps.specs()).apply(plan, on_event=quiet)
    assert steps.ran == list(KINDS[KINDS.index("convert") :])


def test_an_original_that_changed_stops_the_run(
    executor: LocalExecutor, plan: Plan, original: Path, steps: FakeSteps
) -> None:
    executor.apply(plan, on_event=quiet)
    (original / "model.safetensors").write_bytes(b"another")
    with pytest.raises(ExecutionFailed) as caught:
        executor.apply(plan, on_event=quiet)
    assert str(caught.value) == (
        f"{original}: the original model changed since this run began: model.safetensors\n"
        "To fix: put the files back, or plan again for the model as it is now"
    )


def test_a_failed_step_names_itself_and_can_be_resumed(
    executor: LocalExecutor, plan: Plan, steps: FakeSteps, original: Path
) -> None:
    weights = (original / "model.safetensors").read_bytes()

    def without_weights(event: Event) -> None:
        if (event.step, event.state) == ("keep-original", "done"):
            (original / "model.safetensors").unlink()

    with pytest.raises(ExecutionFailed) as caught:
        executor.apply(plan, on_event=without_weights)
    record = executor.runs()[0]
    failed = next(step for step in record.steps if step.state == "failed")
    assert str(caught.value).startswith("step convert: python failed with exit status 1\nThe last lines of its log:\n")
    assert str(caught.value).endswith(
        f"The whole log: {failed.log_path}\n"
        f"To fix: mend what the log says, then go on: quantplan apply {record.run_id} (finished steps are not repeated)"
    )
    assert record.state == "failed" and failed.name == "convert" and "FileNotFoundError" in (failed.error or "")
    assert [step.state for step in record.steps[3:]] == ["pending"] * 6

    (original / "model.safetensors").write_bytes(weights)
    assert executor.apply(plan, on_event=quiet).state == "done"
    assert len(list(Path(failed.log_path or "").parent.glob("03-convert.attempt-*.log"))) == 2, "both logs are kept"


def test_an_unexpected_error_is_a_failed_step_with_its_traceback_in_the_log(
    home: Path, plan: Plan, steps: FakeSteps
) -> None:
    specs = dict(steps.specs())
    specs["findings"] = type(specs["findings"])(lambda context: {}["surprise"])
    executor = LocalExecutor(home, specs)
    with pytest.raises(ExecutionFailed, match=r"^step findings: KeyError: 'surprise'"):
        executor.apply(plan, on_event=quiet)
    failed = next(step for step in executor.runs()[0].steps if step.state == "failed")
    assert "Traceback" in Path(failed.log_path or "").read_text()


@pytest.fixture
def heard() -> Iterator[None]:
    """Signals as a terminal's foreground job has them, however the tests were started."""
    usual = {signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_hang_up_that_is_ignored_stays_ignored(
    heard: None, executor: LocalExecutor, plan: Plan, steps: FakeSteps
) -> None:
    def hang_up_when_launched(event: Event) -> None:
        if (event.step, event.state) == ("launch", "done"):
            os.kill(os.getpid(), signal.SIGHUP)

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert executor.apply(plan, on_event=hang_up_when_launched).state == "done"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_run_in_order(
    heard: None, number: signal.Signals, executor: LocalExecutor, plan: Plan, steps: FakeSteps
) -> None:
    def stop_when_launched(event: Event) -> None:
        if (event.step, event.state) == ("launch", "done"):
            os.kill(os.getpid(), number)

    with pytest.raises(ExecutionFailed) as caught:
        executor.apply(plan, on_event=stop_when_launched)
    run_id = executor.runs()[0].run_id
    assert str(caught.value) == (
        f"run {run_id}: stopped before its end; nothing is left running\n"
        f"To fix: go on when you like: quantplan apply {run_id}"
    )
    assert executor.runs()[0].state == "interrupted"
    assert gone(steps.marker)
    assert executor.apply(plan, on_event=quiet).state == "done"


def test_a_second_apply_of_the_same_plan_says_who_is_at_it(
    executor: LocalExecutor, home: Path, plan: Plan, steps: FakeSteps
) -> None:
    second: list[ExecutionFailed] = []

    def try_as_well(event: Event) -> None:
        if (event.step, event.state) == ("convert", "done"):
            other = threading.Thread(target=lambda: second.append(_failure(LocalExecutor(home, steps.specs()), plan)))
            other.start()
            other.join()
            assert executor.runs()[0].state == "running"

    record = executor.apply(plan, on_event=try_as_well)
    assert second[0].what.startswith(f"this plan is being applied already by process {os.getpid()}, since ")
    assert second[0].where == f"run {record.run_id}"
    assert record.state == "done"


def _failure(executor: LocalExecutor, plan: Plan) -> ExecutionFailed:
    with pytest.raises(ExecutionFailed) as caught:
        executor.apply(plan, on_event=quiet)
    return caught.value


def test_unknown_and_ambiguous_runs_are_refused(executor: LocalExecutor, plan: Plan) -> None:
    with pytest.raises(BadInput) as caught:
        executor.show("abc")
    assert str(caught.value) == "no run 'abc'\nTo fix: list them with `quantplan runs`"
    executor.apply(plan, on_event=quiet)
    with pytest.raises(BadInput, match="Did you mean: "):
        executor.show("")
