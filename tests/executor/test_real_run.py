"""The whole path with real tools: killed while the real server is under load, applied again, done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from left_over import gone

from executor.local import DEMO_MODEL
from planner.planning import make_plan
from planner.request import Request, Workload

pytestmark = pytest.mark.real_engine


def quantplan(home: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "planner.cli.main", *map(str, arguments)]
    environment = {**os.environ, "QUANTPLAN_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    workload = Workload(input_tokens=64, output_tokens=32, concurrency=2)
    path = tmp_path / "plan.json"
    make_plan(Request(model=str(DEMO_MODEL), hardware="cpu:8GB", workload=workload)).write(path)
    return path


def test_kill_9_under_load_then_apply_again(tmp_path: Path, plan_file: Path) -> None:
    home = tmp_path / "home"
    killed = quantplan(home, "apply", plan_file)
    assert killed.stdout is not None
    for line in killed.stdout:
        if "] load-test: " in line:
            break
    assert psutil.Process(killed.pid).children(recursive=True), "the server runs"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert gone(str(home)), "the server, or its guard, outlived the run"

    resumed = quantplan(home, "apply", plan_file, "--json")
    out, err = resumed.communicate(timeout=1200)
    assert resumed.returncode == 0, err
    run = json.loads(out)
    assert run["state"] == "done" and Path(run["report_path"]).is_file()
    assert "quantize: done before, and its files are as they were recorded" in err
    assert "launch: Starting the real server" in err, "the server runs again, because the load test needs it"
    measured = {finding["name"]: finding for finding in run["findings"]}
    for name in ("artifact_bytes", "weights_gib", "kv_cache_gib"):
        assert measured[name]["measured"] == pytest.approx(measured[name]["predicted"], rel=0.02)
    assert measured["output_tokens_per_s"]["measured"] > 0
    assert gone(str(home))
