"""Servers that outlive their run: kept, found again, promoted, stopped, and rolled back to the original."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fake_steps import FakeSteps
from left_over import gone, in_child, processes_with

from executor.deployments.health import is_healthy
from executor.engines.ports import free_port
from executor.local import LocalExecutor
from executor.step import Result, StepContext
from executor.steps.spec import StepSpec
from planner.errors import BadInput, ExecutionFailed
from planner.plan import Plan
from planner.ports import ApplyOptions, Event

SERVER = Path(__file__).parents[1] / "steps" / "fake_openai_server.py"
KEEP = ApplyOptions(keep=True)


class Serving(FakeSteps):
    """A launch with a server that really answers."""

    def specs(self) -> Mapping[str, StepSpec]:  # type: ignore[override]
        return {**super().specs(), "launch": StepSpec(self._serve, ephemeral=True)}

    def _serve(self, context: StepContext) -> Result:
        self.ran.append("launch")
        port = free_port()
        command = [sys.executable, SERVER, "--marker", self.marker, "--port", str(port)]
        process = context.processes.start(command, log_path=context.log_path)
        url = f"http://127.0.0.1:{port}"
        while process.running and not is_healthy(url):
            time.sleep(0.02)
        return {"pid": process.pid, "url": url, "port": port, "log_path": str(context.log_path)}


@pytest.fixture
def steps() -> Iterator[Serving]:
    import uuid

    serving = Serving(marker=f"quantplan-test-{uuid.uuid4()}")
    yield serving
    for process in processes_with(serving.marker):
        process.kill()


@pytest.fixture(autouse=True)
def fake_engine(steps: Serving, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The engine that a rollback starts: the same fake server; `broken` models do not load."""
    engine = SimpleNamespace(environment={}, port_was_taken=lambda log: False, broken=())

    def arguments(serving: SimpleNamespace) -> list[str]:
        die = ["--die", "tensor missing"] if str(serving.model) in engine.broken else []
        return [str(SERVER), "--marker", steps.marker, "--model", str(serving.model), *die, "--port", str(serving.port)]

    engine.program, engine.arguments = lambda toolchains: [sys.executable], arguments
    monkeypatch.setattr("executor.deployments.serving.engine_of", lambda plan: engine)
    return engine


def quiet(event: Event) -> None:
    pass


def test_a_kept_server_runs_on_and_is_found_again(executor: LocalExecutor, plan: Plan, steps: Serving) -> None:
    events: list[Event] = []
    record = executor.apply(plan, on_event=events.append, options=KEEP)
    (found,) = executor.deployments()
    assert found.state == "running" and found.healthy and found.role == "kept" and found.run_id == record.run_id
    assert httpx.get(f"{found.url}/health").status_code == 200
    assert record.deployments[0].url == found.url
    assert events[-1] == Event(
        "launch", "kept", f"left running at {found.url}; quantplan stop {record.run_id} ends it", None
    )
    executor.stop(found.deployment_id[:6])
    assert gone(steps.marker) and executor.deployments()[0].state == "stopped"


def test_without_keep_nothing_is_left(executor: LocalExecutor, plan: Plan, steps: Serving) -> None:
    executor.apply(plan, on_event=quiet)
    assert gone(steps.marker) and executor.deployments() == []


def test_applying_again_only_checks_again(executor: LocalExecutor, plan: Plan, steps: Serving) -> None:
    executor.apply(plan, on_event=quiet, options=KEEP)
    pid = executor.deployments()[0].pid
    steps.ran.clear()
    events: list[Event] = []
    executor.apply(plan, on_event=events.append, options=KEEP)
    assert steps.ran == [] and executor.deployments()[0].pid == pid
    assert events[-1].message == f"still running and healthy at {executor.deployments()[0].url}"
    executor.apply(plan, on_event=quiet)
    assert executor.deployments()[0].healthy, "applying without --keep does not end a kept server either"


def test_a_kept_server_that_died_is_started_again(executor: LocalExecutor, plan: Plan, steps: Serving) -> None:
    executor.apply(plan, on_event=quiet, options=KEEP)
    os.killpg(executor.deployments()[0].pid, signal.SIGKILL)
    assert gone(steps.marker) and executor.deployments()[0].state == "ended"
    steps.ran.clear()
    executor.apply(plan, on_event=quiet, options=KEEP)
    assert steps.ran == ["launch"] and executor.deployments()[0].healthy


def test_a_no_go_is_not_left_running(executor: LocalExecutor, plan: Plan, steps: Serving, home: Path) -> None:
    def no_go(context: StepContext) -> Result:
        return {**FakeSteps._report(steps, context), "go": False, "headline": "No-go: quality failed."}

    executor = LocalExecutor(home, {**steps.specs(), "report": StepSpec(no_go)})
    events: list[Event] = []
    executor.apply(plan, on_event=events.append, options=KEEP)
    assert events[-1].message == "not left running: No-go: quality failed."
    assert gone(steps.marker) and executor.deployments() == []


def test_killed_before_it_is_let_go_nothing_is_left(
    executor: LocalExecutor, plan: Plan, steps: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written down, but quantplan is killed before the guard hears of it: the guard ends the server."""
    monkeypatch.setattr("executor.process.Process.let_go", lambda self: os.kill(os.getpid(), signal.SIGKILL))
    assert in_child(lambda: executor.apply(plan, on_event=quiet, options=KEEP)) == -signal.SIGKILL
    assert gone(steps.marker) and executor.deployments()[0].state == "ended"


def test_promoting_points_to_it_and_rolling_back_serves_the_original_at_the_same_address(
    executor: LocalExecutor, plan: Plan, steps: Serving, home: Path
) -> None:
    record = executor.apply(plan, on_event=quiet, options=KEEP)
    kept = executor.promote(record.run_id)
    assert kept.role == "live" and kept.healthy
    pointer = home / "live" / f"{plan.model.name}.json"
    assert json.loads(pointer.read_text())["format"] == "gguf-q4_k_m"

    back = executor.rollback(plan.model.name)
    assert (back.role, back.format, back.url, back.healthy) == ("original", "original, full precision", kept.url, True)
    assert json.loads(pointer.read_text())["format"] == "original, full precision"
    served = [process for process in processes_with(steps.marker) if "--model" in process.cmdline()]
    original = next(step.result["path"] for step in record.steps if step.name == "convert")
    assert all(original in process.cmdline() for process in served) and served
    assert {d.state for d in executor.deployments()} == {"running", "stopped"}
    with pytest.raises(BadInput, match="is served from its original already"):
        executor.rollback(plan.model.name)
    executor.stop(back.deployment_id)
    assert gone(steps.marker)


def test_an_original_that_does_not_start_leaves_what_was_in_service(
    executor: LocalExecutor, plan: Plan, fake_engine: SimpleNamespace
) -> None:
    record = executor.apply(plan, on_event=quiet, options=KEEP)
    live = executor.promote(record.run_id)
    fake_engine.broken = (next(step.result["path"] for step in record.steps if step.name == "convert"),)
    with pytest.raises(ExecutionFailed) as caught:
        executor.rollback(plan.model.name)
    assert "the original could not be served: the server ended while it started" in str(caught.value)
    assert f"gguf-q4_k_m serves again at {live.url}" in caught.value.fix
    assert is_healthy(live.url)


def test_an_original_that_changed_is_not_rolled_back_to(executor: LocalExecutor, plan: Plan, original: Path) -> None:
    record = executor.apply(plan, on_event=quiet, options=KEEP)
    live = executor.promote(record.run_id)
    (original / "model.safetensors").write_bytes(b"another")
    with pytest.raises(ExecutionFailed) as caught:
        executor.rollback(record.run_id)
    assert str(caught.value) == (
        f"{plan.model.name}: the original is not as it was recorded: model.safetensors\n"
        f"To fix: put the files back; gguf-q4_k_m is still in service at {live.url}"
    )
    assert is_healthy(live.url)


def test_what_does_not_answer_is_not_promoted(executor: LocalExecutor, plan: Plan, steps: Serving) -> None:
    record = executor.apply(plan, on_event=quiet, options=KEEP)
    os.killpg(executor.deployments()[0].pid, signal.SIGKILL)
    assert gone(steps.marker)
    with pytest.raises(ExecutionFailed, match="does not answer, so it is not promoted"):
        executor.promote(record.run_id)
    with pytest.raises(BadInput, match="nothing is in service for"):
        executor.rollback(record.run_id)


def test_unknown_deployments_are_refused(executor: LocalExecutor) -> None:
    with pytest.raises(BadInput) as caught:
        executor.stop("abc")
    assert str(caught.value) == "no deployment 'abc'\nTo fix: list them with `quantplan deployments`"


def test_runs_are_removed_but_never_what_is_served(executor: LocalExecutor, plan: Plan, home: Path) -> None:
    record = executor.apply(plan, on_event=quiet, options=KEEP)
    directory = home / "runs" / record.run_id
    kept = executor.remove_runs([record.run_id])
    assert kept.run_ids == () and directory.is_dir()
    assert kept.kept[0][1].startswith("its files are served at http://127.0.0.1:")
    executor.stop(record.run_id)
    size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    dry = executor.remove_runs([record.run_id], dry=True)
    assert dry.freed_bytes == size and directory.is_dir()
    assert executor.remove_runs([record.run_id]).run_ids == (record.run_id,)
    assert not directory.exists() and executor.runs() == []


def test_cleaning_takes_unfinished_and_old_runs(executor: LocalExecutor, plan: Plan, steps: Serving) -> None:
    steps.kill_at = ("convert", "before")
    in_child(lambda: executor.apply(plan, on_event=quiet))
    steps.kill_at = None
    other = plan.model_copy(update={"created_at": "2026-11-22T00:00:00Z"}).sealed()
    done = executor.apply(other, on_event=quiet)
    assert [run.run_id for run in executor.runs() if run.state == "interrupted"] == list(
        executor.clean(older_than_days=30).run_ids
    )
    assert [run.run_id for run in executor.runs()] == [done.run_id]
    assert executor.clean(older_than_days=0).run_ids == (done.run_id,)
