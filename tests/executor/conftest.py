"""Shared by the executor's tests: a plan with fake stages, and a home for runs."""

from __future__ import annotations

import uuid
from pathlib import Path

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
