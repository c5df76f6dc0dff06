"""A day of traffic: requests a second, step by step; from a file, or drawn from a seed."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from planner.catalog import load_yaml
from planner.errors import BadInput

if TYPE_CHECKING:
    from planner.fits.arrays import Floats

DAY_S = 86_400
HEADER = ("second", "requests_per_s")
A_TRACE = "write a first line `second,requests_per_s` and then a line for each change of the rate"


@dataclass(frozen=True, eq=False, slots=True)
class Trace:
    """Requests a second in steps of `step_s` seconds."""

    step_s: float
    requests_per_s: Floats
    says: str

    @property
    def seconds(self) -> float:
        return self.step_s * len(self.requests_per_s)

    @property
    def peak_per_s(self) -> float:
        return float(self.requests_per_s.max())

    def with_peak(self, peak_per_s: float) -> Trace:
        """The same day, its busiest step at this rate."""
        says = f"{self.says.split(',')[0]}, at most {peak_per_s:.3g} requests/s"
        return replace(self, requests_per_s=self.requests_per_s * (peak_per_s / self.peak_per_s), says=says)


def step_seconds() -> float:
    return float(load_yaml("scaling.yaml")["step_s"]["value"])


def drawn_day(peak_per_s: float, seed: int, *, bursts: float | None = None, trough_share: float | None = None) -> Trace:
    """A day with one wave and bursts at random; `peak_per_s` is the top of the wave, which bursts exceed.

    `bursts`: their mean number; `trough_share`: traffic at night over that at the peak.
    """
    import numpy as np

    usual = load_yaml("scaling.yaml")["day"]
    trough = usual["trough_share"]["value"] if trough_share is None else trough_share
    mean_bursts = usual["bursts"]["value"] if bursts is None else bursts
    step_s, draw = step_seconds(), np.random.default_rng(seed)
    seconds = np.arange(0, DAY_S, step_s)
    wave = 0.5 + 0.5 * np.cos(2 * np.pi * (seconds / 3600 - usual["peak_hour"]["value"]) / 24)
    rate = peak_per_s * (trough + (1 - trough) * wave)
    for start in draw.uniform(0, DAY_S, draw.poisson(mean_bursts)):
        length_s = draw.exponential(usual["burst_minutes"]["value"] * 60)
        rate[(seconds >= start) & (seconds < start + length_s)] *= 1 + usual["burst_size"]["value"]
    return Trace(step_s, rate, f"a drawn day, peak {peak_per_s:g} requests/s, seed {seed}")


def read_trace(path: Path) -> Trace:
    """A CSV of `second,requests_per_s`: each rate holds until the next line. BadInput with the line that is wrong."""
    import numpy as np

    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise BadInput(f"cannot read a trace: {reason}", where=str(path), fix=A_TRACE) from None
    if not rows or tuple(cell.strip() for cell in rows[0]) != HEADER:
        raise BadInput("a trace begins with `second,requests_per_s`", where=f"{path}:1", fix=A_TRACE)
    points = [_point(row, f"{path}:{number}") for number, row in enumerate(rows[1:], 2) if row]
    for number, (earlier, later) in enumerate(pairwise(points), 3):
        if later[0] <= earlier[0]:
            raise BadInput("seconds do not rise from line to line", where=f"{path}:{number}", fix=A_TRACE)
    if len(points) < 2:
        raise BadInput("a trace has at least two lines after the first", where=str(path), fix=A_TRACE)
    step_s, times = step_seconds(), np.array([second for second, _ in points])
    grid = np.arange(times[0], times[-1] + step_s / 2, step_s)
    held = np.searchsorted(times, grid, side="right") - 1
    return Trace(step_s, np.array([rate for _, rate in points])[held], f"the trace {path.name}")


def _point(row: list[str], where: str) -> tuple[float, float]:
    try:
        second, rate = (float(cell) for cell in row)
    except ValueError:
        raise BadInput(f"{','.join(row)[:60]!r} is no second and rate", where=where, fix=A_TRACE) from None
    if not (second >= 0 and 0 <= rate < 1e9):
        raise BadInput(f"{','.join(row)[:60]!r}: both are finite and not negative", where=where, fix=A_TRACE)
    return second, rate
