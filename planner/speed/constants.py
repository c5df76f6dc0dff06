"""The constants of `planner/catalog/speed_constants.yaml`: a base each, times factors of engine, kernel, GPU class."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

from planner.catalog import load_yaml
from planner.errors import BadInput, nearest
from planner.hardware.hardware import Accelerator
from planner.speed.estimate import Estimate
from planner.speed.serving import ServingConstants
from planner.speed.steps import Rates, within_datasheet

FILE = "speed_constants.yaml"
NAMES = "speed_names.yaml"
FACTORS = ("family", "engine", "kernel", "gpu_class", "vintage", "release", "scenario", "kernel_on")
CURRENT_VINTAGE = "2026"


@dataclass(frozen=True, slots=True)
class Interval:
    """Multipliers of a prediction that held 90 % of its residuals, from `rows` measurements of `source`."""

    low: float
    high: float
    rows: int
    residual: float
    source: str


@dataclass(frozen=True, slots=True)
class Support:
    """What was measured for one engine, kernel and GPU class: the interval of each figure. `exact` is False when the
    constants are borrowed from the nearest measured combination, or from the datasheet alone."""

    intervals: Mapping[str, Interval]
    exact: bool
    note: str

    def estimate(self, figure: str, value: float) -> Estimate:
        """The figure with its interval and where both come from."""
        found = self.intervals[figure]
        source = f"{found.source} ({found.rows} rows)" if self.exact else f"{self.note}: {found.source}"
        return Estimate(value, value * found.low, value * found.high, source)


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


@lru_cache(maxsize=256)
def support(engine: str, kernel: str, gpu_class: str) -> Support | None:
    """How well this combination is measured: itself, the nearest that shares its kernel, or the datasheet bound.

    None when nothing is known of the engine: the caller abstains.
    """
    content = load_yaml(FILE)
    if engine not in content["engines"]:
        return None
    measured = content["support"]
    for exact, wanted in _nearness(engine, kernel, gpu_class):
        matching = [entry for entry in measured if all(entry[key] == value for key, value in wanted.items())]
        if matching:
            entry = max(matching, key=lambda each: _kinship(each, engine))
            note = "" if exact else f"constants of {entry['engine']} {entry['kernel']} on {entry['gpu_class']}"
            return _support(entry, exact, note, 1.0 if exact else float(content["borrowed_widening"]))
    return _support(content["datasheet_bound"], False, "datasheet bound: nothing measured is near", 1.0)


def levels_of(engine: str, kernel: str, gpu_class: str, *others: str) -> dict[str, str]:
    values = family_of(engine), engine, kernel, gpu_class, *others, f"{kernel} on {gpu_class}"
    return dict(zip(FACTORS, values, strict=True))


def _nearness(engine: str, kernel: str, gpu_class: str) -> list[tuple[bool, dict[str, str]]]:
    return [
        (True, {"engine": engine, "kernel": kernel, "gpu_class": gpu_class}),
        (False, {"engine": engine, "kernel": kernel}),
        (False, {"kernel": kernel, "gpu_class": gpu_class}),
    ]


def _kinship(entry: Mapping[str, Any], engine: str) -> tuple[bool, int]:
    """Engines of the same family are nearer than others, and of those the one with most rows."""
    return family_of(entry["engine"]) == family_of(engine), int(entry["intervals"]["tpot_ms"]["rows"])


def _support(entry: Mapping[str, Any], exact: bool, note: str, widening: float) -> Support:
    intervals = {}
    for figure, found in entry["intervals"].items():
        intervals[figure] = Interval(
            low=float(found["low"]) ** widening,
            high=float(found["high"]) ** widening,
            rows=int(found["rows"]),
            residual=float(found["residual"]),
            source=str(entry["source"]),
        )
    return Support(intervals, exact, note)


def _constants() -> Mapping[str, Any]:
    constants: Mapping[str, Any] = load_yaml(FILE)["constants"]
    known = {f.name for f in (*fields(Rates), *fields(ServingConstants))} - {"knee"}
    for name in constants:
        if name not in known:
            raise BadInput(f"unknown constant {name!r}", where=FILE, nearest=nearest(name, known))
    return constants
