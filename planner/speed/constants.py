"""The constants of `planner/catalog/speed_constants.yaml`: a base each, times factors of engine, kernel, GPU class."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

from planner.catalog import load_yaml
from planner.errors import BadInput, nearest
from planner.hardware.hardware import Accelerator
from planner.speed.serving import ServingConstants
from planner.speed.steps import Rates, within_datasheet

FILE = "speed_constants.yaml"
NAMES = "speed_names.yaml"
FACTORS = ("family", "engine", "kernel", "gpu_class", "vintage", "release", "scenario", "kernel_on")
CURRENT_VINTAGE = "2026"


def gpu_class(accelerator: Accelerator) -> str:
    """The class of GPUs that share constants, or the architecture's own name where there is none."""
    described = f"{accelerator.architecture} {accelerator.compute_capability or ''} {accelerator.name}"
    return _class_described(described) or accelerator.architecture.lower()


@lru_cache(maxsize=1024)
def _class_described(description: str) -> str | None:
    return next(
        (line["class"] for line in load_yaml(NAMES)["gpu_classes"] if re.match(line["match"], description)), None
    )


def family_of(engine: str) -> str:
    """The family an engine borrows constants from; its own name where it has none."""
    families: Mapping[str, list[str]] = load_yaml(NAMES)["families"]
    return next((family for family, members in families.items() if engine in members), engine)


def constant(name: str, levels: Mapping[str, str]) -> float:
    """One constant: its base times the factors of engine, kernel, GPU class ... (1 where none was fitted)."""
    entry = _constants()[name]
    value = float(entry["base"])
    for factor in FACTORS:
        if factor in entry:
            value *= float(entry[factor].get(levels[factor], 1.0))
    return within_datasheet(value) if name.endswith("_efficiency") else value


@lru_cache(maxsize=1024)
def rates(engine: str, kernel: str, gpu_class: str, vintage: str = CURRENT_VINTAGE) -> Rates:
    """All constants of a step for one engine, kernel and GPU class."""
    levels = levels_of(engine, kernel, gpu_class, vintage, "", "")
    values = {f.name: constant(f.name, levels) for f in fields(Rates) if f.name != "knee"}
    return Rates(**values, knee=float(load_yaml(FILE)["knee"]))


@lru_cache(maxsize=1024)
def decode_rates(engine: str, kernel: str, gpu_class: str, vintage: str = CURRENT_VINTAGE) -> Rates:
    """The same for a step of few tokens, where some weight-only kernels multiply far slower than a 16-bit one."""
    whole = rates(engine, kernel, gpu_class, vintage)
    share = float(load_yaml(FILE)["few_token_arithmetic"].get(kernel, 1.0))
    return replace(whole, compute_efficiency=whole.compute_efficiency * share)


@lru_cache(maxsize=1024)
def serving_constants(
    engine: str, kernel: str, gpu_class: str, vintage: str = CURRENT_VINTAGE, release: str = "", scenario: str = ""
) -> ServingConstants:
    """All constants of serving for one engine, kernel and GPU class; `release` tells a build that speculates."""
    levels = levels_of(engine, kernel, gpu_class, vintage, release, scenario)
    return ServingConstants(**{f.name: constant(f.name, levels) for f in fields(ServingConstants)})


def levels_of(engine: str, kernel: str, gpu_class: str, vintage: str, *others: str) -> dict[str, str]:
    """The level of each factor. Families of engines do not share a vintage."""
    family = family_of(engine)
    values = family, engine, kernel, gpu_class, f"{family} {vintage}", *others, f"{kernel} on {gpu_class}"
    return dict(zip(FACTORS, values, strict=True))


def _constants() -> Mapping[str, Any]:
    constants: Mapping[str, Any] = load_yaml(FILE)["constants"]
    known = {f.name for f in (*fields(Rates), *fields(ServingConstants))} - {"knee"}
    for name in constants:
        if name not in known:
            raise BadInput(f"unknown constant {name!r}", where=FILE, nearest=nearest(name, known))
    return constants
