"""What one plan takes: milliseconds in a running process, seconds cold, and kilobytes written.

Every plan is made anew: nothing but parsed catalogues, rules and model descriptions is kept between two of them.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request

REPEATS, COLD_REPEATS = 60, 7
SITUATIONS = (
    ("llama-3.1-8b", "1xA100-80GB"),
    ("llama-3.1-8b", "1xL4"),
    ("llama-3.1-8b", "cpu:64GB"),
    ("llama-3.1-70b", "1xA100-80GB"),
    ("llama-3.1-70b", "4xH100-80GB"),
    ("mixtral-8x7b", "8xH200"),
    ("deepseek-v3", "8xH200"),
)


def main() -> None:
    print(f"{'model':14} {'hardware':12} {'median ms':>9} {'p95 ms':>7} {'file kB':>7} {'sent kB':>7}")
    for model, hardware in SITUATIONS:
        request = Request(model=model, hardware=hardware)
        plan = make_plan(request)
        times = sorted(_milliseconds(request) for _ in range(REPEATS))
        median, p95 = statistics.median(times), times[int(0.95 * REPEATS)]
        kilobytes = f"{_written(plan) / 1e3:7.0f} {len(plan.as_json().encode()) / 1e3:7.0f}"
        print(f"{model:14} {hardware:12} {median:9.1f} {p95:7.1f} {kilobytes}")
    print(f"`quantplan plan` cold: {_cold_seconds():.2f} s (median of {COLD_REPEATS})")


def _milliseconds(request: Request) -> float:
    began = time.perf_counter()
    make_plan(request)
    return 1000 * (time.perf_counter() - began)


def _written(plan: Plan) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.json"
        plan.write(path)
        return path.stat().st_size


def _cold_seconds() -> float:
    """A process from its start to the answer on its standard output."""
    command = [sys.executable, "-m", "planner.cli.main", "plan", "llama-3.1-70b", "--on", "1xA100-80GB"]
    times = []
    for _ in range(COLD_REPEATS):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
