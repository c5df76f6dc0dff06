"""The CPU micro-benchmark: honest about how it measured, cached, and never in the way."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from planner.cache import cache_directory
from planner.hardware import microbench
from planner.hardware.microbench import Measurement, measure_cpu, measure_with_c, measure_with_copies
from planner.units import MIB

BY_HAND = Measurement(10.0, 50.0, "by hand", "2026-11-21")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUANTPLAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(microbench, "SECONDS_PER_PHASE", 0.02)
    return tmp_path / "cache"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Measuring replaced by a count of how often it happened."""
    calls: list[int] = []

    def measure(threads: int, memory_gib: float) -> Measurement:
        calls.append(threads)
        return BY_HAND

    monkeypatch.setattr(microbench, "_measure", measure)
    return calls


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler here")
def test_the_c_kernel_measures_both_rates(own_cache: Path) -> None:
    found = measure_with_c(2, 4 * MIB)
    assert found is not None
    assert found.measured_by.startswith("C kernel: 2 threads reading 8 MiB; FP32 matrix tile")
    assert 0.1 < found.bandwidth_gb_s < 10_000
    assert found.matmul_gflops is not None
    assert 0.1 < found.matmul_gflops < 100_000
    assert [p.name.startswith("microbench-") for p in (own_cache / "hardware").iterdir()] == [True]


def test_copies_measure_bandwidth_only_and_say_that_it_is_low() -> None:
    found = measure_with_copies(2, 4 * MIB)
    assert 0.1 < found.bandwidth_gb_s < 10_000
    assert found.matmul_gflops is None
    assert "memmove in 2 threads, bytes read + written (no C compiler: below the read bandwidth)" in found.measured_by


def test_without_a_compiler_copies_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert measure_with_c(1, MIB) is None
    assert measure_cpu("Some CPU", 1, 0.001).measured_by.startswith("memmove")


def test_a_compiler_that_fails_leaves_nothing_behind(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "false")
    assert measure_with_c(1, MIB) is None
    assert list((own_cache / "hardware").iterdir()) == []


def test_a_kernel_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def too_slow(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("microbench", 60)

    monkeypatch.setattr(microbench, "_compiled", lambda _: tmp_path / "program")
    monkeypatch.setattr(subprocess, "run", too_slow)
    assert measure_with_c(1, MIB) is None


def test_a_busy_machine_is_remarked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (7.4, 1.0, 1.0))
    assert measure_with_copies(2, MIB).measured_by.endswith("; the machine was busy (load 7.4 on 2 cores)")


def test_a_second_question_is_answered_from_the_cache(counted: list[int]) -> None:
    assert measure_cpu("Some CPU", 2, 8.0) == measure_cpu("Some CPU", 2, 8.0) == BY_HAND
    assert counted == [2]


def test_another_cpu_other_cores_and_refresh_measure_again(counted: list[int]) -> None:
    measure_cpu("Some CPU", 2, 8.0)
    measure_cpu("Other CPU", 2, 8.0)
    measure_cpu("Some CPU", 4, 8.0)
    measure_cpu("Some CPU", 2, 8.0, refresh=True)
    assert counted == [2, 2, 4, 2]


@pytest.mark.parametrize("broken", ["", "{", "[]", json.dumps({"bandwidth_gb_s": 1.0})])
def test_a_broken_record_is_measured_again(own_cache: Path, counted: list[int], broken: str) -> None:
    measure_cpu("Some CPU", 2, 8.0)
    (record,) = (own_cache / "hardware").glob("*.json")
    record.write_text(broken)
    assert measure_cpu("Some CPU", 2, 8.0) == BY_HAND
    assert counted == [2, 2]
    assert json.loads(record.read_text())["bandwidth_gb_s"] == 10.0


def test_a_cache_that_cannot_be_written_only_costs_time(
    own_cache: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    own_cache.write_text("a file where the directory should be")
    assert measure_cpu("Some CPU", 2, 8.0) == measure_cpu("Some CPU", 2, 8.0) == BY_HAND
    assert counted == [2, 2]


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_directory() == tmp_path / "cache"
    monkeypatch.delenv("QUANTPLAN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_directory() == Path("/xdg/quantplan")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_directory() == Path.home() / ".cache/quantplan"
