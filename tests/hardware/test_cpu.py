"""The CPU as a process may use it: limits of containers respected, instruction sets named."""

import os
from pathlib import Path

import psutil
import pytest

from planner.hardware.cpu import read_cpu, usable_cores, usable_memory_gib

X86 = """\
processor\t: 0
model name\t: AMD EPYC 9654
flags\t\t: fpu sse4_2 avx2 avx512f avx512_bf16 amx_int8 fma

processor\t: 1
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp sve i8mm bf16\n"


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


def test_an_x86_is_named_with_the_sets_that_matter(tmp_path: Path) -> None:
    put(tmp_path, "proc/cpuinfo", X86)
    cpu = read_cpu(tmp_path)
    assert cpu.name == "AMD EPYC 9654"
    assert cpu.instruction_sets == ("sse4_2", "avx2", "fma", "avx512f", "avx512_bf16", "amx_int8")


def test_an_arm_has_neon(tmp_path: Path) -> None:
    put(tmp_path, "proc/cpuinfo", ARM)
    assert read_cpu(tmp_path).instruction_sets == ("neon", "asimddp", "i8mm", "bf16", "sve")


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(("cpu_max", "cores"), [("max 100000", 8), ("350000 100000", 3), ("50000 100000", 1)])
def test_a_cgroup_quota_cuts_the_cores(tmp_path: Path, cpu_max: str, cores: int) -> None:
    put(tmp_path, "proc/self/cgroup", "0::/box\n")
    put(tmp_path, "sys/fs/cgroup/box/cpu.max", cpu_max)
    assert usable_cores(tmp_path) == cores


@pytest.mark.usefixtures("eight_cores")
def test_a_quota_of_the_older_cgroups_and_of_a_parent_counts_too(tmp_path: Path) -> None:
    put(tmp_path, "proc/self/cgroup", "4:memory:/outer/inner\n1:cpu,cpuacct:/outer/inner\n")
    put(tmp_path, "sys/fs/cgroup/cpu/outer/cpu.cfs_quota_us", "200000\n")
    put(tmp_path, "sys/fs/cgroup/cpu/outer/inner/cpu.cfs_quota_us", "-1\n")
    assert usable_cores(tmp_path) == 2


@pytest.mark.usefixtures("eight_cores")
def test_without_cgroups_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == 8


def test_the_tightest_memory_limit_counts(tmp_path: Path) -> None:
    put(tmp_path, "proc/self/cgroup", "0::/outer/inner\n")
    put(tmp_path, "sys/fs/cgroup/outer/memory.max", str(2**29))
    put(tmp_path, "sys/fs/cgroup/outer/inner/memory.max", "max\n")
    assert usable_memory_gib(tmp_path) == 0.5


def test_no_limit_leaves_the_hosts_memory(tmp_path: Path) -> None:
    put(tmp_path, "proc/self/cgroup", "4:memory:/\n")
    put(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    assert usable_memory_gib(tmp_path) == pytest.approx(psutil.virtual_memory().total / 2**30)
