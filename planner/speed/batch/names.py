"""What published tables mean by their engine, format, GPU and length cells (`planner/catalog/speed_names.yaml`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from planner.catalog import load_yaml
from planner.hardware.catalogue import find_accelerator, known_accelerators
from planner.hardware.hardware import Accelerator
from planner.schemes import Activation

FILE = "speed_names.yaml"
BRANDS = frozenset({"rtx", "rx", "radeon", "jetson"})


@dataclass(frozen=True, slots=True)
class Engine:
    """The id constants are fitted under, the year of its kernels, and whether it spreads over all of a row's GPUs."""

    id: str
    vintage: str
    uses_all_gpus: bool


@dataclass(frozen=True, slots=True)
class Format:
    """A weight format as a table spells it: bits of a quantized weight with its scales, what it multiplies with, and
    bits of a weight of the head."""

    id: str
    weight_bits: float
    activation: Activation
    head_bits: float = 16.0


@lru_cache(maxsize=1024)
def engine_named(text: str, source: str = "") -> Engine | None:
    """The engine a cell means, dated by the table's `source` where the cell is not; None for an unknown one."""
    line = _first("engines", text, source)
    return Engine(line["engine"], str(line["vintage"]), line["ranks"] == "all") if line else None


@lru_cache(maxsize=1024)
def format_named(text: str) -> Format | None:
    """The weight format a cell means; an empty cell is 16-bit."""
    line = _first("formats", text.strip())
    return (
        Format(line["id"], float(line["bits"]), line["activation"], float(line.get("head_bits", 16))) if line else None
    )


@lru_cache(maxsize=1024)
def accelerator_named(text: str) -> Accelerator | None:
    """The accelerator a cell means: by the file's spellings, by catalogue name, or by the longest name inside it."""
    line = _first("gpus", text.replace("_", " "))
    if line:
        return find_accelerator(line["gpu"]) if line["gpu"] else None
    return find_accelerator(text) or _longest_name_inside(text)


def kernel_named(engine: Engine, format: Format, gpu: Accelerator) -> str | None:
    """The kernel that engine runs for that format on that GPU; None where none is known."""
    if format.id.startswith("gguf"):
        kernel = load_yaml(FILE)["ggml_kernels"].get(gpu.vendor)
        return str(kernel) if kernel else None
    found = next((str(line["kernel"]) for line in load_yaml(FILE)["kernels"] if _runs(line, engine, format)), None)
    if found is None or _has_units(found, gpu):
        return found
    return str(load_yaml(FILE)["without_units"][found])


def tokens_named(text: str, unstated: int) -> int:
    """A length: digits as they stand, a dataset by its published mean, else `unstated`."""
    digits = text.strip().removesuffix(".0")
    if digits.isdigit():
        return int(digits[:9])
    line = _first("lengths", text) if digits else None
    return int(line["tokens"]) if line else unstated


def model_alias(text: str) -> str | None:
    """The catalogue name a cell means where no identifier spells it."""
    line = _first("models", text)
    return str(line["model"]) if line else None


def _first(section: str, text: str, source: str = "") -> Mapping[str, Any] | None:
    return next(
        (line for match, of, line in _patterns(section) if match.search(text) and (of is None or of.search(source))),
        None,
    )


@cache
def _patterns(section: str) -> tuple[tuple[re.Pattern[str], re.Pattern[str] | None, Mapping[str, Any]], ...]:
    """Of each line what a cell spells, what its table's source must then be named like, and the line."""
    lines = load_yaml(FILE)[section]
    return tuple((_spelt(line["match"]), _spelt(line["tables"]) if "tables" in line else None, line) for line in lines)


def _spelt(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _runs(line: Mapping[str, Any], engine: Engine, format: Format) -> bool:
    same_vintage = str(line.get("vintage", engine.vintage)) == engine.vintage
    return line["engine"] in (engine.id, "*") and line["format"] == format.id and same_vintage


def _has_units(kernel: str, gpu: Accelerator) -> bool:
    if kernel in ("nvfp4-w4a4", "mxfp4-w4a16"):
        return gpu.fp4_tflops is not None
    if kernel == "fp8-w8a8":
        return gpu.fp8_tflops is not None
    return kernel != "int8-w8a8" or gpu.int8_tops is not None


def _longest_name_inside(text: str) -> Accelerator | None:
    """The accelerator whose name stands inside `text` as words of its own, the longest, then the first."""
    found = [(len(match[0]), -match.start(), gpu) for pattern, gpu in _spellings() if (match := pattern.search(text))]
    return max(found, key=lambda each: each[:2])[2] if found else None


@cache
def _spellings() -> tuple[tuple[re.Pattern[str], Accelerator], ...]:
    """Each catalogue name without its memory, with and without its brand, any separators between its words."""
    patterns = []
    for gpu in known_accelerators():
        words = re.findall(r"[a-z]+|\d+", re.sub(r"-\d+GB.*", "", gpu.name).lower())
        for spelled in {tuple(words), tuple(w for w in words if w not in BRANDS)}:
            inside = r"[^a-z0-9]*".join(spelled)
            patterns.append((re.compile(rf"(?<![a-z0-9]){inside}(?![a-z0-9])", re.IGNORECASE), gpu))
    return tuple(patterns)
