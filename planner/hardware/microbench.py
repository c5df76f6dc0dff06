"""One to two seconds of measurement: main-memory read bandwidth and FP32 matrix rate of a CPU, all cores, cached.

With a C compiler, `microbench.c` is compiled once into the cache and run: vectorised reads of buffers far larger than
the caches (token generation is bound by that), and the register tile of a blocked matrix product (prompts are bound by
that). Without one, `ctypes.memmove` copies such buffers in one thread per core: bytes read plus bytes written, which
lies below the read bandwidth; the matrix rate is then unknown. Either way a thread's rate is its work over its own CPU
time, and the rates of all threads are added up. `measured_by` says which was used and whether the machine was busy.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from planner.cache import cache_directory
from planner.units import GB, GIB, MIB

COMPILERS = ("cc", "gcc", "clang")
FLAG_SETS = (("-march=native",), ("-mcpu=native",), ())
COMPILE_TIMEOUT_S = 60
RUN_TIMEOUT_S = 60
SECONDS_PER_PHASE = 0.8
BYTES_PER_THREAD = 64 * MIB
LEAST_BYTES, MOST_BYTES = 256 * MIB, 4 * GIB


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured, how and when: GB/s (10^9) and 10^9 operations per second; None is unknown."""

    bandwidth_gb_s: float
    matmul_gflops: float | None
    measured_by: str
    measured_on: str


def measure_cpu(name: str, cores: int, memory_gib: float, *, refresh: bool = False) -> Measurement:
    """The figures of this machine: from the cache unless `refresh`, else measured now and kept."""
    record = cache_directory() / "hardware" / f"microbench-{_key(name, cores)}.json"
    if not refresh and (known := _recall(record)):
        return known
    measured = _measure(cores, memory_gib)
    _keep(record, measured)
    return measured


def _measure(threads: int, memory_gib: float) -> Measurement:
    bytes_per_thread = _bytes_per_thread(threads, memory_gib)
    return measure_with_c(threads, bytes_per_thread) or measure_with_copies(threads, bytes_per_thread)


def measure_with_c(threads: int, bytes_per_thread: int) -> Measurement | None:
    """Compile (once) and run the C kernel; None when there is no working compiler or it may not run."""
    with tempfile.TemporaryDirectory(prefix="quantplan-") as scratch:
        program = _compiled(cache_directory() / "hardware") or _compiled(Path(scratch))
        if program is None:
            return None
        command = [str(program), str(threads), str(bytes_per_thread), str(SECONDS_PER_PHASE)]
        try:
            printed = subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=True).stdout
            figures = dict(pair.split("=") for pair in printed.split())
            bandwidth, gflops = float(figures["read_gb_s"]), float(figures["matmul_gflops"])
        except (OSError, subprocess.SubprocessError, ValueError, KeyError):
            return None
    how = f"C kernel: {threads} threads reading {threads * bytes_per_thread // MIB} MiB; FP32 matrix tile"
    return Measurement(bandwidth, gflops, how + _busyness(threads), _today())


def measure_with_copies(threads: int, bytes_per_thread: int) -> Measurement:
    """Time `memmove` of large buffers, one thread per core (it releases the interpreter lock); matrix rate unknown."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        rates = pool.map(_copy_rate, [bytes_per_thread // 2] * threads)
        bandwidth_gb_s = sum(rates) / GB
    how = f"memmove in {threads} threads, bytes read + written (no C compiler: below the read bandwidth)"
    return Measurement(bandwidth_gb_s, None, how + _busyness(threads), _today())


def _copy_rate(size: int) -> float:
    """Bytes read and written per second of this thread's CPU time, copying one buffer to another again and again."""
    import ctypes

    source, target = ctypes.create_string_buffer(size), ctypes.create_string_buffer(size)
    ctypes.memmove(target, source, size)
    began, ends, passes = time.thread_time(), time.monotonic() + SECONDS_PER_PHASE, 0
    while not passes or time.monotonic() < ends:
        ctypes.memmove(target, source, size)
        passes += 1
    return 2 * size * passes / max(time.thread_time() - began, 1e-9)


def _busyness(threads: int) -> str:
    """A remark when other work had claimed cores in the last minute: the figures are then less certain."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return f"; the machine was busy (load {load:.1f} on {threads} cores)" if load > threads else ""


def _bytes_per_thread(threads: int, memory_gib: float) -> int:
    total = min(max(threads * BYTES_PER_THREAD, LEAST_BYTES), MOST_BYTES, int(memory_gib * GIB / 8))
    return max(total // threads, MIB)


def _compiled(directory: Path) -> Path | None:
    """The kernel's program in this directory, compiled unless it is there; None when that fails."""
    source = _source()
    program = directory / f"microbench-{hashlib.sha256(source).hexdigest()[:16]}"
    if program.exists():
        return program
    for compiler in filter(None, map(shutil.which, COMPILERS)):
        for flags in FLAG_SETS:
            if _compile(compiler, flags, source, program):
                return program
    return None


def _compile(compiler: str, flags: tuple[str, ...], source: bytes, program: Path) -> bool:
    aside = program.with_name(f"{program.name}.{os.getpid()}.tmp")
    options = ("-O3", *flags, "-ffp-contract=fast", "-w", "-x", "c", "-", "-o", str(aside), "-pthread")
    try:
        program.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, *options], input=source, capture_output=True, timeout=COMPILE_TIMEOUT_S, check=True)
        aside.replace(program)
    except (OSError, subprocess.SubprocessError):
        aside.unlink(missing_ok=True)
        return False
    return True


def _source() -> bytes:
    return files("planner").joinpath("hardware/microbench.c").read_bytes()


def _key(name: str, cores: int) -> str:
    return hashlib.sha256(f"{name}|{cores}|".encode() + _source()).hexdigest()[:16]


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _recall(record: Path) -> Measurement | None:
    try:
        return Measurement(**json.loads(record.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _keep(record: Path, measured: Measurement) -> None:
    """Write aside, then rename; a cache that cannot be written only means measuring again."""
    aside = record.with_name(f"{record.name}.{os.getpid()}.tmp")
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(asdict(measured), indent=2), encoding="utf-8")
        aside.replace(record)
    except OSError:
        pass
