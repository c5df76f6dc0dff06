"""Shared by the executor's tests: a plan with fake stages, a home for runs, and an eye on left-over processes."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from fake_steps import FakeSteps, with_fake_stages

from executor.local import DEMO_MODEL, LocalExecutor
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request


@pytest.fixture(scope="session")
def real_plan() -> Plan:
    return make_plan(Request(model=str(DEMO_MODEL), hardware="cpu:8GB"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def original(tmp_path: Path) -> Path:
    directory = tmp_path / "original"
    directory.mkdir()
    (directory / "config.json").write_text("{}")
    (directory / "model.safetensors").write_bytes(bytes(range(256)) * 40)
    return directory


@pytest.fixture
def plan(real_plan: Plan, original: Path) -> Plan:
    return with_fake_stages(real_plan, original)


@pytest.fixture
def steps() -> FakeSteps:
    return FakeSteps(marker=f"quantplan-test-{uuid.uuid4()}")


@pytest.fixture
def executor(home: Path, steps: FakeSteps) -> LocalExecutor:
    return LocalExecutor(home, steps.specs())


def in_child(work: Callable[[], object]) -> int:
    """Do the work in a forked process; returns its wait status (-9: it was killed)."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def processes_with(marker: str) -> list[psutil.Process]:
    """Living processes that have the marker on their command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if marker in " ".join(process.info["cmdline"] or ()) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def gone(marker: str, within_s: float = 10.0) -> bool:
    """Whether every process with the marker ends in time."""
    deadline = time.monotonic() + within_s
    while processes_with(marker):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
