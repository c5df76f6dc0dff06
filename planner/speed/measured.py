"""What was measured for one engine, kernel and GPU class (`planner/catalog/speed_support.csv`), or what is nearest.

An architecture or a GPU type that no fit has seen may be like its slice or unlike it: its intervals hold both the
slice's and those of all slices together.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

from planner.catalog import data_file, load_yaml
from planner.hardware.hardware import Accelerator
from planner.speed.anatomy import Anatomy
from planner.speed.constants import FILE, family_of, gpu_class
from planner.speed.estimate import Estimate

TABLE = "speed_support.csv"
Combination = tuple[str, str, str]
WHATEVER: Combination = ("*", "*", "*")


@dataclass(frozen=True, slots=True)
class Interval:
    """Multipliers of a prediction that held 90 % of its residuals, from `rows` measurements of `source`."""

    low: float
    high: float
    rows: int
    residual: float
    source: str

    def widened(self, exponent: float) -> Interval:
        return replace(self, low=self.low**exponent, high=self.high**exponent)

    def with_(self, other: Interval) -> Interval:
        """What holds both."""
        return replace(self, low=min(self.low, other.low), high=max(self.high, other.high))


@dataclass(frozen=True, slots=True)
class Support:
    """The interval of each figure of a plan. `exact` is False when the constants are borrowed from the nearest
    measured combination, or from the datasheet alone; `note` says from where. `foreign`: they are of engines of
    another family, so nothing says that this engine's kernel is as good."""

    intervals: Mapping[str, Interval]
    exact: bool
    note: str
    foreign: bool = False

    @property
    def is_bound(self) -> bool:
        """True where nothing measured is near: a bound from the datasheet, not a prediction to choose by."""
        return not any(interval.rows for interval in self.intervals.values())

    def estimate(self, figure: str, value: float) -> Estimate:
        """The figure with its interval and where both come from."""
        found = self.intervals[figure]
        source = f"{found.source} ({found.rows} rows)" if self.exact else f"{self.note}: {found.source}"
        return Estimate(value, value * found.low, value * found.high, source)


def support_for(engine: str, kernel: str, accelerator: Accelerator, model: Anatomy) -> Support | None:
    """The same as `support`, wider for an architecture or a GPU type that was not among what was fitted."""
    found = support(engine, kernel, gpu_class(accelerator))
    if found is None or found.is_bound or is_familiar(model, accelerator):
        return found
    others = measured()[WHATEVER]
    wider = {figure: interval.with_(others[figure]) for figure, interval in found.intervals.items()}
    return replace(found, intervals=wider)


def is_familiar(model: Anatomy, accelerator: Accelerator) -> bool:
    """True where this architecture and this GPU type were both measured and fitted."""
    fitted = load_yaml(FILE)["fitted"]
    return model.label in fitted["architectures"] and accelerator.name in fitted["accelerators"]


@lru_cache(maxsize=256)
def support(engine: str, kernel: str, gpu_class: str) -> Support | None:
    """How well this combination is measured: itself, the nearest that shares its kernel, or the datasheet bound.

    None when nothing is known of the engine: the caller abstains.
    """
    content = load_yaml(FILE)
    if engine not in content["engines"]:
        return None
    if own := measured().get((engine, kernel, gpu_class)):
        return Support(own, exact=True, note="")
    near = max(_nearest(engine, kernel, gpu_class), key=lambda each: _kinship(each, engine), default=None)
    if near is None:
        return _bound(content["datasheet_bound"])
    widening = float(content["borrowed_widening"])
    intervals = {figure: interval.widened(widening) for figure, interval in measured()[near].items()}
    foreign = family_of(near[0]) != family_of(engine)
    return Support(intervals, exact=False, note=f"constants of {near[0]} {near[1]} on {near[2]}", foreign=foreign)


@cache
def measured() -> Mapping[Combination, Mapping[str, Interval]]:
    """Every measured engine, kernel and GPU class, with the interval of each figure."""
    found: dict[Combination, dict[str, Interval]] = {}
    with data_file(TABLE).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            combination = row["engine"], row["kernel"], row["gpu_class"]
            found.setdefault(combination, {})[row["figure"]] = _interval(row, row["source"])
    return found


def _nearest(engine: str, kernel: str, gpu_class: str) -> Iterator[Combination]:
    """Those of this engine with the kernel, on any GPU; where there are none, of other engines on this GPU class."""
    same_engine = [each for each in measured() if each[:2] == (engine, kernel)]
    yield from same_engine or (each for each in measured() if each[1:] == (kernel, gpu_class))


def _kinship(combination: Combination, engine: str) -> tuple[bool, int]:
    """Engines of the same family are nearer than others, and of those the one with most rows."""
    return family_of(combination[0]) == family_of(engine), measured()[combination]["tpot_ms"].rows


def _bound(content: Mapping[str, Any]) -> Support:
    intervals = {figure: _interval(each, content["source"]) for figure, each in content["intervals"].items()}
    return Support(intervals, exact=False, note="datasheet bound: nothing measured is near")


def _interval(cells: Mapping[str, Any], source: str) -> Interval:
    low, high, residual = (float(cells[name]) for name in ("low", "high", "residual"))
    return Interval(low, high, int(cells["rows"]), residual, source)
