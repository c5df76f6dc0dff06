"""A GPU that is not in the catalogue, described by the user in a YAML file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from planner.errors import BadInput, nearest
from planner.hardware.hardware import Accelerator, Cpu, Interconnect, Vendor
from planner.request import Frozen

MAX_FILE_BYTES = 100_000
REQUIRED = "name, vendor, architecture, memory_gb, bandwidth_gb_s, fp16_tflops and source are required"

Figure = Annotated[float, Field(gt=0, le=1e7)]


class DescribedGpu(Frozen):
    """The keys of a GPU file: those of `Accelerator`, same units. `memory_gib` defaults to the sticker's bytes.

    `host_memory_gib` and `host_bandwidth_gb_s` describe the memory of the machine it sits in.
    """

    name: Annotated[str, Field(min_length=1, max_length=80)]
    vendor: Vendor
    architecture: str
    memory_gb: Figure
    bandwidth_gb_s: Figure
    fp16_tflops: Figure
    source: Annotated[str, Field(min_length=1)]
    memory_gib: Figure | None = None
    compute_capability: Figure | None = None
    fp8_tflops: Figure | None = None
    int8_tops: Figure | None = None
    fp4_tflops: Figure | None = None
    interconnect: Interconnect = "unknown"
    link_gb_s: Figure | None = None
    tdp_watts: Figure | None = None
    unified_memory: bool = False
    note: str = ""
    host_memory_gib: Figure | None = None
    host_bandwidth_gb_s: Figure | None = None


def read_gpu_file(path: Path) -> Accelerator:
    """The accelerator a YAML file describes. BadInput names the line of an unknown key, a bad value or broken YAML."""
    described = _described(path)
    fields = described.model_dump(exclude={"host_memory_gib", "host_bandwidth_gb_s"})
    fields["memory_gib"], fields["memory_source"] = _memory(described)
    return Accelerator(**fields)


def read_host(path: Path) -> Cpu | None:
    """The host that a GPU file describes beside its GPU; None where it does not. BadInput as `read_gpu_file`."""
    described = _described(path)
    if described.host_memory_gib is None:
        return None
    return Cpu("declared host", 0, described.host_memory_gib, bandwidth_gb_s=described.host_bandwidth_gb_s)


def _described(path: Path) -> DescribedGpu:
    content, lines = _parse(path)
    try:
        return DescribedGpu.model_validate(content)
    except ValidationError as error:
        raise _bad_key(path, error, lines) from None


def describe_gpu(gpu: Accelerator) -> dict[str, Any]:
    """The same accelerator as the mapping a GPU file would hold (figures that are unknown left out)."""
    return {k: v for k, v in asdict(gpu).items() if v not in (None, "") and k != "memory_source"}


def _memory(described: DescribedGpu) -> tuple[float, str]:
    if described.memory_gib is not None:
        return described.memory_gib, f"declared: {described.source}"
    return round(
        described.memory_gb * 1e9 / 2**30, 2
    ), f"declared: {described.memory_gb:g} GB in bytes, nothing reserved"


def _parse(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The file's mapping, and the line on which each key stands."""
    import yaml

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadInput(f"a GPU file is a few lines; this one exceeds {MAX_FILE_BYTES:,} bytes", where=str(path))
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read the GPU file: {_reason(error)}", where=str(path)) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadInput(f"not YAML: {error.problem}", where=f"{path}:{line}", fix="one `key: value` per line") from None
    if not isinstance(node, yaml.MappingNode):
        raise BadInput("a GPU file is a mapping of `key: value` lines", where=f"{path}:1", fix=REQUIRED)
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if lines.setdefault(str(key.value), line) != line:
            raise BadInput(f"{key.value} is given twice", where=f"{path}:{line}", fix="keep one of the lines")
    return content, lines


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it is not UTF-8 text"


def _bad_key(path: Path, error: ValidationError, lines: dict[str, int]) -> BadInput:
    problem = error.errors()[0]
    key = str(problem["loc"][0])
    where = f"{path}:{lines.get(key, 1)}"
    if problem["type"] == "extra_forbidden":
        known = list(DescribedGpu.model_fields)
        return BadInput(
            f"unknown key {key!r}", where=where, nearest=nearest(key, known), fix=f"known keys: {', '.join(known)}"
        )
    if problem["type"] == "missing":
        return BadInput(f"{key} is missing", where=where, fix=REQUIRED)
    return BadInput(f"{key}: {problem['msg']}, not {problem['input']!r}", where=where)
