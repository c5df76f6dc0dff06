"""The CPU of this machine as a process here may use it: affinity, cgroup limits and instruction sets respected."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import replace
from pathlib import Path

from planner.hardware.hardware import Cpu
from planner.hardware.microbench import measure_cpu
from planner.units import GIB

ROOT = Path("/")
TELLING_SETS = (
    "sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16",
    "amx_tile", "amx_int8", "amx_bf16", "neon", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme",
)  # fmt: skip
SAME_SET = {"asimd": "neon", "svei8mm": "i8mm", "feat_i8mm": "i8mm", "feat_bf16": "bf16", "feat_dotprod": "asimddp"}


def read_cpu(root: Path = ROOT) -> Cpu:
    """Name, usable hardware threads, usable memory (GiB) and instruction sets; nothing is measured."""
    name, flags = _identity(root)
    return Cpu(name, usable_cores(root), usable_memory_gib(root), _instruction_sets(flags))


def measured_cpu(*, refresh: bool = False) -> Cpu:
    """The same with read bandwidth and matrix rate, from the cache or measured now (1-2 s)."""
    cpu = read_cpu()
    m = measure_cpu(cpu.name, cpu.cores, cpu.memory_gib, refresh=refresh)
    return replace(
        cpu,
        bandwidth_gb_s=m.bandwidth_gb_s,
        matmul_gflops=m.matmul_gflops,
        measured_on=m.measured_on,
        measured_by=m.measured_by,
    )


def usable_cores(root: Path = ROOT) -> int:
    """Hardware threads this process may run on: the affinity mask, cut by a cgroup's CPU quota; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cpu_quota(root)
    return max(1, min(allowed, int(quota)) if quota else allowed)


def usable_memory_gib(root: Path = ROOT) -> float:
    """Physical memory of the host, or the tightest cgroup limit if that is lower, in GiB."""
    import psutil

    limits = [value for value in map(_number, _cgroup_values(root, "memory.max", "memory.limit_in_bytes")) if value]
    return float(min([psutil.virtual_memory().total, *limits]) / GIB)


def free_memory_gib() -> float:
    """Memory of the host that could be given to a new process without swapping, in GiB."""
    import psutil

    return float(psutil.virtual_memory().available / GIB)


def _cpu_quota(root: Path) -> float | None:
    """Cores' worth of time the tightest cgroup grants; None without a quota."""
    quotas = []
    for text in _cgroup_values(root, "cpu.max", "cpu.cfs_quota_us"):
        quota, _, period = text.partition(" ")
        granted, every = _number(quota), _number(period) or 100_000
        if granted and granted > 0:
            quotas.append(granted / every)
    return min(quotas, default=None)


def _cgroup_values(root: Path, v2_name: str, v1_name: str) -> list[str]:
    """What this process's cgroup and its parents say under that name (version 2, else 1)."""
    controller = v1_name.partition(".")[0]
    found = []
    for line in _lines(root / "proc/self/cgroup"):
        _, names, path = [*line.split(":", 2), "", ""][:3]
        if names and controller not in names.split(","):
            continue
        mount, file_name = (controller, v1_name) if names else ("", v2_name)
        for folder in (Path(path), *Path(path).parents):
            found += _lines(root / "sys/fs/cgroup" / mount / str(folder).lstrip("/") / file_name)[:1]
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # "max": no limit
        return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _identity(root: Path) -> tuple[str, frozenset[str]]:
    """The CPU's name and its feature flags, lower case: from /proc/cpuinfo, or sysctl on macOS."""
    facts: dict[str, str] = {}
    for line in _lines(root / "proc/cpuinfo"):
        key, _, value = line.partition(":")
        facts.setdefault(key.strip().lower(), value.strip())
    if facts:
        flags = facts.get("flags") or facts.get("features") or ""
        return facts.get("model name") or platform.machine() or "unknown CPU", frozenset(flags.lower().split())
    return _sysctl("machdep.cpu.brand_string") or platform.processor() or "unknown CPU", _apple_flags()


def _apple_flags() -> frozenset[str]:
    """Features macOS reports: `hw.optional.arm.FEAT_BF16: 1` on Apple silicon, `AVX2` in a list on Intel."""
    listed = _sysctl("machdep.cpu.features").lower().split() + _sysctl("machdep.cpu.leaf7_features").lower().split()
    present = [
        name.rsplit(".", 1)[-1]
        for name, _, on in (line.partition(": ") for line in _sysctl("hw.optional", "").splitlines())
        if on == "1"
    ]
    return frozenset([*listed, *(name.lower() for name in present)])


def _sysctl(name: str, option: str = "-n") -> str:
    command = ["sysctl", *([option] if option else []), name]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _instruction_sets(flags: frozenset[str]) -> tuple[str, ...]:
    present = flags | {SAME_SET[flag] for flag in flags if flag in SAME_SET}
    return tuple(name for name in TELLING_SETS if name in present)
