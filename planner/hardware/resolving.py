"""From what the user typed (`2xL40S`, `RTX4090`, `cpu:64GB`, `here`, a YAML file) to a `Hardware`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from planner.errors import BadInput
from planner.hardware.catalogue import Entry, find_entry, is_assumption, similar_names, variants
from planner.hardware.hardware import Accelerator, Cpu, Hardware
from planner.hardware.mig import name_and_profile, slice_of
from planner.units import GB, GIB

MAX_COUNT = 100_000
MAX_HOST_GIB = 2**20
SPELLINGS = (
    "write COUNTxNAME (2xL40S), cpu:64GB, `here` for this machine, or the path of a YAML file describing the GPU"
)
HOST_SPELLING = "write 1xRTX-4090+host:64GB, or with its memory's bandwidth 1xRTX-4090+host:64GB:80GB/s"

_COUNTED = re.compile(r"\s*([+-]?\d[\d.,_]*)\s*[x×*]\s*(.+)", re.IGNORECASE | re.ASCII)
_DECLARED_CPU = re.compile(
    r"cpu\s*:\s*(\d+(?:\.\d+)?)\s*(gb|gib|tb|tib)?(?:\s*:\s*(\d+)\s*cores?)?", re.IGNORECASE | re.ASCII
)
_HOST = re.compile(
    r"host\s*:\s*(\d+(?:\.\d+)?)\s*(gb|gib|tb|tib)(?:\s*:\s*(\d+(?:\.\d+)?)\s*gb/s)?", re.IGNORECASE | re.ASCII
)
_BYTES = {"gb": GB, "gib": GIB, "tb": 1000 * GB, "tib": 1024 * GIB}


def resolve_hardware(text: str) -> Hardware:
    """The hardware a declaration means; BadInput with the nearest names when it means none.

    `+host:64GB` behind accelerators declares the memory of their host (`+host:64GB:80GB/s`: and its bandwidth).
    A short name that could mean several cards (`A100`) takes the common one and says so in `Hardware.notes`.
    `here` and `cpu` look at this machine; every other spelling only reads the catalogue.
    """
    asked = text.strip()
    if not asked:
        raise BadInput("no hardware given", fix=SPELLINGS)
    asked, plus, host = (part.strip() for part in asked.partition("+"))
    if plus:
        return _with_host(resolve_hardware(asked), host)
    if asked.lower() == "here":
        from planner.hardware.detection import detect

        return detect()
    if asked.lower().startswith("cpu"):
        return _cpu(asked)
    return _accelerators(asked)


def _with_host(hardware: Hardware, text: str) -> Hardware:
    """The accelerators in a host of the declared memory."""
    declared = _HOST.fullmatch(text)
    if declared is None:
        raise BadInput(f"{_shown(text)} is not the memory of a host", fix=HOST_SPELLING)
    if hardware.accelerator is None or hardware.detected:
        what = "this machine's own memory is known" if hardware.detected else "a CPU host is one already"
        raise BadInput(f"+{text}: {what}", fix="leave it out, or name accelerators: 1xRTX-4090+host:64GB")
    memory_gib = _host_gib(float(declared[1]), declared[2], text)
    bandwidth = float(declared[3]) if declared[3] else None
    cpu = Cpu("declared host", cores=0, memory_gib=memory_gib, bandwidth_gb_s=bandwidth or None)
    return replace(hardware, label=f"{hardware.label}+{text}", cpu=cpu)


def _host_gib(amount: float, unit: str, asked: str) -> float:
    memory_gib = amount * _BYTES[unit.lower()] / GIB
    if not 0 < memory_gib <= MAX_HOST_GIB:
        raise BadInput(f"{_shown(asked)}: a host has more than 0 and at most {MAX_HOST_GIB:,} GiB of memory")
    return memory_gib


def _accelerators(asked: str) -> Hardware:
    count, name = _count_and_name(asked)
    if _looks_like_a_path(name):
        return _from_file(Path(name).expanduser(), count)
    name, profile = name_and_profile(name)
    entry = find_entry(name)
    if entry is None:
        raise _unknown(name)
    gpu = slice_of(entry.accelerator, profile) if profile else entry.accelerator
    return _hardware(gpu, count, _notes(name, entry))


def _hardware(gpu: Accelerator, count: int, notes: tuple[str, ...] = ()) -> Hardware:
    return Hardware(label=f"{count}x{gpu.name}", accelerator=gpu, count=count, notes=notes)


def _count_and_name(asked: str) -> tuple[int, str]:
    counted = _COUNTED.fullmatch(asked)
    if counted is None or find_entry(asked):  # 7900XTX is a card, not 7,900 of the card "TX"
        return 1, asked
    return _count(counted[1], asked), counted[2].strip()


def _count(digits: str, asked: str) -> int:
    if digits.isdigit() and len(digits) <= 6 and 1 <= int(digits) <= MAX_COUNT:
        return int(digits)
    raise BadInput(
        f"{_shown(digits)} accelerators in {_shown(asked)}: the count is a whole number from 1 to {MAX_COUNT}",
        fix="write COUNTxNAME, for example 2xL40S",
    )


def _looks_like_a_path(name: str) -> bool:
    return "/" in name or name.lower().endswith((".yaml", ".yml"))


def _from_file(path: Path, count: int) -> Hardware:
    from planner.hardware.gpu_file import read_gpu_file, read_host

    return replace(_hardware(read_gpu_file(path), count), cpu=read_host(path))


def _notes(name: str, entry: Entry) -> tuple[str, ...]:
    if not is_assumption(name, entry):
        return ()
    chosen = entry.accelerator.name
    others = ", ".join(v for v in variants(name) if v != chosen)
    return (f"{name} taken as {chosen}; also in the catalogue: {others}",)


def _unknown(name: str) -> BadInput:
    return BadInput(
        f"unknown accelerator {_shown(name)}",
        nearest=similar_names(name[:80]),
        fix="`quantplan detect --catalogue` lists the known ones; describe another in a YAML file and pass its path",
    )


def _cpu(asked: str) -> Hardware:
    if asked.lower() == "cpu":
        from planner.hardware.detection import detect_cpu_only

        return detect_cpu_only()
    declared = _DECLARED_CPU.fullmatch(asked)
    if declared is None:
        raise BadInput(
            f"{_shown(asked)} is not a CPU host", fix="write cpu:64GB, cpu:64GiB:16cores, or cpu for this machine"
        )
    memory_gib = _host_gib(float(declared[1]), declared[2] or "gb", asked)
    cores = _count_cores(declared[3], asked)
    return Hardware(
        label=asked, cpu=Cpu("declared CPU", cores, memory_gib), notes=_cpu_notes(declared[2], memory_gib, cores)
    )


def _count_cores(digits: str | None, asked: str) -> int:
    if digits is None:
        return 0
    if len(digits) <= 5 and int(digits) >= 1:
        return int(digits)
    raise BadInput(f"{_shown(asked)}: a host has from 1 to 99999 cores")


def _cpu_notes(unit: str | None, memory_gib: float, cores: int) -> tuple[str, ...]:
    notes = ["bandwidth and matrix rate of a declared CPU are unknown: `quantplan plan --on here` measures them"]
    if (unit or "gb").lower() in ("gb", "tb"):
        notes.append(f"GB read as 10^9 bytes: {memory_gib:.1f} GiB (write GiB if you mean binary units)")
    if not cores:
        notes.append("cores not declared: write cpu:64GB:16cores to give them")
    return tuple(notes)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
