"""The most a server can carry, the largest load that still meets its targets, and the copies a larger one takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from planner.serving.outcome import Outcome
from planner.serving.server import Server
from planner.serving.simulating import MEASURED_REQUESTS, simulate
from planner.serving.traffic import Traffic

HALVINGS = 10


@dataclass(frozen=True, slots=True)
class Targets:
    """Milliseconds to stay within, by the mean (`percentile` None) or by the 50th, 95th or 99th percentile."""

    ttft_ms: float | None = None
    tpot_ms: float | None = None
    percentile: int | None = None

    def met_by(self, outcome: Outcome) -> bool:
        ttft, tpot = outcome.ttft_ms.at(self.percentile), outcome.tpot_ms.at(self.percentile)
        return (self.ttft_ms is None or ttft <= self.ttft_ms) and (self.tpot_ms is None or tpot <= self.tpot_ms)


def capacity_per_s(server: Server, traffic: Traffic, *, requests: int = MEASURED_REQUESTS) -> float:
    """Requests a second of a server that always has a next one waiting: more than that, and its queue only grows."""
    full = replace(traffic, requests_per_s=None, clients=2 * server.limits.max_sequences)
    return simulate(server, full, requests=requests).requests_per_s


def largest_rate(server: Server, traffic: Traffic, targets: Targets) -> float | None:
    """The largest Poisson rate, in requests a second, that meets the targets and does not fill the queue for ever.

    None when a single client, alone on the server, already misses them.
    """
    alone = replace(traffic, requests_per_s=None, clients=1)
    if not targets.met_by(simulate(server, alone, requests=50)):
        return None
    low, high = 0.0, capacity_per_s(server, traffic)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        by_rate = replace(traffic, requests_per_s=middle, clients=None)
        low, high = (middle, high) if targets.met_by(simulate(server, by_rate)) else (low, middle)
    return low


def replicas_for(requests_per_s: float, each_per_s: float) -> int:
    """Copies of a server that together carry a load, each its share."""
    return ceil(requests_per_s / each_per_s)


WORTH_SAYING = 1.25  # a quarter more; sequences that are let in take a little of the cache's memory themselves


def sequences_hint(server: Server, traffic: Traffic) -> str | None:
    """That the limit of sequences, not the KV cache, is what fills first; None where the cache does."""
    held = int(server.limits.kv_tokens / (traffic.input_tokens + traffic.output_tokens))
    at_once = server.limits.max_sequences
    if held <= WORTH_SAYING * at_once:
        return None
    return (
        f"At most {at_once} sequences at once are taken in, while the KV cache holds {held:,} like these: "
        f"try --max-num-seqs {held}"
    )
