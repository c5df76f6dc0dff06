"""The executor's test helpers, and the benchmark, for the tests of reliability."""

from __future__ import annotations

import importlib.util
import sys
import uuid
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "executor"))


@pytest.fixture
def benchmark() -> ModuleType:
    """benchmarks/reliability.py, which is no package."""
    spec = importlib.util.spec_from_file_location("executor_benchmark", ROOT / "benchmarks" / "reliability.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def marker() -> str:
    return f"quantplan-test-{uuid.uuid4()}"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A home to be, with an original and a plan for small tools."""
    import killable_run

    killable_run.prepare(tmp_path / "base")
    return tmp_path / "base"
