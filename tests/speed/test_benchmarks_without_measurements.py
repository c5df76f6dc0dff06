"""A benchmark without its measurements says what to pass, and fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("scipy", reason="the bench extra fits constants with it")
ROOT = Path(__file__).parents[2]
NEEDS = {
    "speed": "serving.csv, single_stream.csv, max_throughput.csv and int4_kernels.csv",
    "energy": "energy.csv",
    "serving": "serving.csv and load_latency.csv",
}


@pytest.mark.parametrize("name", NEEDS)
def test_no_folder(name: str) -> None:
    ended = run(name)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "No folder of measurements was given.\nThe published measurements are not part of the repository. "
        f"To fix: give the folder that holds {NEEDS[name]}:\n"
        f"    make bench-{name} TRUTH=DIR        (or: python benchmarks/{name}.py --truth DIR)\n"
    )


def test_a_folder_without_them(tmp_path: Path) -> None:
    ended = run("energy", "--truth", str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"{tmp_path} has no energy.csv.\n")


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, f"benchmarks/{name}.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
