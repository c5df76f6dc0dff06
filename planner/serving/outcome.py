"""What a simulated load came to: waits with their percentiles, tokens a second, preemptions, the queue."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from planner.serving.traffic import Asked

SHARES = (0.50, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Waits:
    """Milliseconds over requests (ITL: over tokens): their mean, and what 50, 95 and 99 of 100 stay within."""

    mean: float
    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, values: Sequence[float], weights: Sequence[float] | None = None) -> Waits:
        """Of values that count alike, or by weight; zeros where there is none."""
        if not values:
            return cls(0.0, 0.0, 0.0, 0.0)
        pairs = sorted(zip(values, weights or [1.0] * len(values), strict=True))
        sums = list(accumulate(weight for _, weight in pairs))
        mean = sum(value * weight for value, weight in pairs) / sums[-1]
        p50, p95, p99 = (pairs[bisect_left(sums, share * sums[-1])][0] for share in SHARES)
        return cls(mean, p50, p95, p99)

    def at(self, percentile: int | None) -> float:
        """The mean (None), or one of the percentiles 50, 95, 99."""
        return self.mean if percentile is None else {50: self.p50, 95: self.p95, 99: self.p99}[percentile]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One load on one server. TPOT is a request's own mean over the tokens after its first; ITL is every single gap.

    `kv_share`: mean part of the KV cache in use. `waiting_start`, `waiting_end`: requests not yet on board when
    measuring began and ended.
    """

    requests: int
    ttft_ms: Waits
    tpot_ms: Waits
    itl_ms: Waits
    end_to_end_ms: Waits
    requests_per_s: float
    output_tokens_per_s: float
    running: float
    preemptions: int
    kv_share: float
    waiting_start: int
    waiting_end: int

    @property
    def tokens_per_s_a_user(self) -> float:
        """Tokens a second as one user reads them."""
        return 1000 / self.tpot_ms.mean if self.tpot_ms.mean else 0.0

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "tokens_per_s_a_user": self.tokens_per_s_a_user}


def waits_of(measured: Sequence[Asked]) -> tuple[Waits, Waits, Waits]:
    """TTFT, TPOT and end-to-end of finished requests; one with a single token has no TPOT."""
    ttft = [asked.first_ms - asked.arrived_ms for asked in measured]
    tpot = [(a.ended_ms - a.first_ms) / (a.output_tokens - 1) for a in measured if a.output_tokens > 1]
    return Waits.of(ttft), Waits.of(tpot), Waits.of([a.ended_ms - a.arrived_ms for a in measured])
