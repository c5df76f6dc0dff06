"""A cap on cores holds for everything a run starts, and ends with it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from executor.cores import on_cores
from executor.processes import Processes
from planner.errors import BadInput

ASK = "import os; print(len(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS'])"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity masks")
def test_tools_see_no_more_cores_than_allowed(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    with on_cores(1), Processes() as processes:
        assert processes.run_tool([sys.executable, "-c", ASK], tmp_path / "log") == "1 1\n"
    assert os.sched_getaffinity(0) == before


def test_the_environment_is_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with on_cores(1):
        assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == ("1", "1")
    assert os.environ["OMP_NUM_THREADS"] == "7" and "MKL_NUM_THREADS" not in os.environ


def test_no_core_at_all_is_refused() -> None:
    with pytest.raises(BadInput, match="at least one core is needed"), on_cores(0):
        pass
