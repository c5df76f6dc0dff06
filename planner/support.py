"""What exists: engines and their versions, the kernel an engine has for a format here, what quantizers can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from planner.catalog import load_yaml
from planner.hardware.hardware import Hardware
from planner.models.shape import Shape
from rules.vocabulary import EngineId, FormatId, KvFormat

CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Engine:
    """One serving engine: the version planned for, and the share of memory it takes by default."""

    id: EngineId
    name: str
    version: str
    usable_memory: float
    runs_on: tuple[str, ...]
    minimum_compute_capability: float
    on_cpu: Mapping[str, Any] = field(default_factory=dict, hash=False)
    flags: Mapping[str, str] = field(default_factory=dict, hash=False)
    claims_rest: bool = False
    splits_layers: bool = False

    def version_on(self, hardware: Hardware) -> str:
        """The version planned for: on a CPU it may be another than on GPUs."""
        version: str = self.on_cpu.get("version", self.version) if hardware.accelerator is None else self.version
        return version


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel an engine runs for a format; `native` or `emulated` (it dequantizes first)."""

    name: str
    support: str
    source: str


@lru_cache
def engines() -> dict[EngineId, Engine]:
    """All engines of the catalogue, by id."""
    return {
        id: Engine(
            id,
            e["name"],
            e["version"],
            e["usable_memory"],
            tuple(e["runs_on"]),
            e["minimum_compute_capability"],
            e.get("on_cpu", {}),
            e.get("flags", {}),
            e.get("claims_rest", False),
            e.get("splits_layers", False),
        )
        for id, e in load_yaml("engines.yaml").items()
    }


def vendor_of(hardware: Hardware) -> str:
    """The vendor of the accelerators, or `cpu` where there is none."""
    return hardware.accelerator.vendor if hardware.accelerator else CPU


def kernel_for(engine: EngineId, format: FormatId, hardware: Hardware) -> Kernel | None:
    """The kernel the engine has for this format on this hardware; None where it has none."""
    capability = hardware.accelerator.compute_capability if hardware.accelerator else None
    return _kernel(engine, format, vendor_of(hardware), capability, _instruction_sets(hardware))


@lru_cache(maxsize=4096)
def _kernel(
    engine: EngineId, format: FormatId, vendor: str, capability: float | None, instruction_sets: tuple[str, ...]
) -> Kernel | None:
    if capability is not None and capability < engines()[engine].minimum_compute_capability:
        return None
    for line in _kernel_lines():
        if line["engine"] == engine and line["vendor"] == vendor and _same_format(line["format"], format):
            low, high = line.get("capability", (None, None))
            has_units = low is None or (capability is not None and low <= capability < high)
            if has_units and _cpu_has(line.get("cpu_needs_any", []), instruction_sets):
                return Kernel(line["kernel"], line["support"], line["source"])
    return None


def kv_cache_problem(engine: EngineId, kv_cache: KvFormat, hardware: Hardware) -> str | None:
    """Why the engine cannot keep its cache in this format here; None where it can."""
    has: dict[str, dict[str, list[str]]] = load_yaml("kernels.yaml")["kv_caches"][engine]
    if kv_cache not in has:
        why = why_refused(engine, kv_cache, hardware)
        return f"{engines()[engine].name} has no {kv_cache} KV cache" + (f": {why}" if why else "")
    needs = has[kv_cache].get("cpu_needs_any", [])
    if not _cpu_has(needs, _instruction_sets(hardware)):
        return f"{engines()[engine].name} keeps a {kv_cache} KV cache on a CPU only with {' or '.join(needs)}"
    return None


def why_refused(engine: EngineId, name: str, hardware: Hardware) -> str | None:
    """Why the engine is not to be given this format (or option value) here; None where nothing is known against it."""
    for line in load_yaml("kernels.yaml")["refused"]:
        applies = line.get("vendor") in (None, vendor_of(hardware))
        if applies and (line["engine"], line["name"]) == (engine, name):
            return str(line["because"])
    return None


def _instruction_sets(hardware: Hardware) -> tuple[str, ...]:
    """Those of the host that serves; none where they are unknown, or a GPU serves."""
    return hardware.cpu.instruction_sets if hardware.accelerator is None and hardware.cpu else ()


def _cpu_has(needs_any: Sequence[str], instruction_sets: tuple[str, ...]) -> bool:
    """Whether the host has one of these; an unknown host is taken to."""
    return not needs_any or not instruction_sets or bool(set(needs_any) & set(instruction_sets))


def tool_quantizes(tool: str, shape: Shape) -> bool:
    """Whether the pinned version of a quantizing tool handles this architecture (A.pitfall.4)."""
    return all(
        entry["moe"] or not shape.is_moe for entry in load_yaml("kernels.yaml")["tools"] if entry["tool"] == tool
    )


def _kernel_lines() -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], load_yaml("kernels.yaml")["kernels"])


def _same_format(listed: str, format: FormatId) -> bool:
    return listed == format or (listed == "gguf" and format.startswith("gguf-"))
