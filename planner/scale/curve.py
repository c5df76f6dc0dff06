"""What users of one copy wait for at a steady load, as quantiles: read once from the discrete-event simulation.

Below its last share of capacity a copy is taken to be in the steady state of the load it has (a step of a day is long
beside a request); above it, what it cannot carry waits in a fluid queue.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.catalog import load_yaml
from planner.serving.capacity import Targets, capacity_per_s
from planner.serving.server import Server
from planner.serving.simulating import WARM_UP_SHARE, Simulation
from planner.serving.traffic import Asked, Source, Traffic

if TYPE_CHECKING:
    from planner.fits.arrays import Floats, Ints

QUANTILES = 100
NEVER_MS = 1e12


@dataclass(frozen=True, eq=False)
class Curve:
    """Rows: loads of one copy in requests a second, rising. Columns: equal shares of the requests, in milliseconds.

    `ttft_within_ms`: time to first token of a request that meets the target for its tokens (one that does not: never).
    `aboard`: requests that a copy works on at each load, on average.
    """

    capacity_per_s: float
    rates: Floats
    ttft_ms: Floats
    tpot_ms: Floats
    ttft_within_ms: Floats
    aboard: Floats

    @cached_property
    def highest_per_s(self) -> float:
        """The highest load that was simulated: above it a queue builds up."""
        return float(self.rates[-1])

    def at(self, table: Floats, rates: Floats) -> Floats:
        """Rows of a table at these loads, between the simulated ones by proportion."""
        place = np.interp(rates, self.rates, np.arange(len(self.rates)))
        low: Ints = np.minimum(place.astype(np.int64), len(self.rates) - 2)
        part = (place - low)[:, None]
        found: Floats = table[low] * (1 - part) + table[low + 1] * part
        return found


def curve_of(server: Server, traffic: Traffic, targets: Targets, seed: int = 0) -> Curve:
    """The steady states of this server under this traffic (its rate is replaced)."""
    settings = load_yaml("scaling.yaml")["curve"]
    capacity = capacity_per_s(server, traffic, requests=settings["requests"][-1])
    rates = np.array([share * capacity for share in settings["shares"]])
    ttft, tpot, within, aboard = [], [], [], []
    for rate, runs, requests in zip(rates, settings["runs"], settings["requests"], strict=True):
        steady = replace(traffic, requests_per_s=float(rate), clients=None)
        asked = [each for run in range(runs) for each in _finished(server, steady, requests, seed + 2 * run)]
        waits = np.array([each.first_ms - each.arrived_ms for each in asked])
        gaps = np.array([_tpot_ms(each) for each in asked])
        aboard.append(float(rate) * sum(each.ended_ms - each.arrived_ms for each in asked) / len(asked) / 1000)
        met = gaps <= (targets.tpot_ms or NEVER_MS)
        ttft.append(_quantiles(waits))
        tpot.append(_quantiles(gaps))
        within.append(_quantiles(np.where(met, waits, NEVER_MS)))
    return Curve(capacity, rates, np.array(ttft), np.array(tpot), np.array(within), np.array(aboard))


def _finished(server: Server, traffic: Traffic, requests: int, seed: int) -> list[Asked]:
    skipped = int(requests * WARM_UP_SHARE)
    run = Simulation(server, Source.of(traffic, server.limits.longest_tokens, seed), skipped, skipped + requests)
    run.run()
    return run.finished


def _tpot_ms(asked: Asked) -> float:
    return (asked.ended_ms - asked.first_ms) / (asked.output_tokens - 1) if asked.output_tokens > 1 else 0.0


def _quantiles(values: Any) -> Any:
    """The middles of equal shares, smallest first; not between values, so that `never` stays never."""
    ordered = np.sort(values)
    return ordered[((np.arange(QUANTILES) + 0.5) / QUANTILES * len(ordered)).astype(np.int64)]
