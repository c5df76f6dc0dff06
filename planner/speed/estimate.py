"""A predicted figure with its 90 % interval, and the three figures of speed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """One figure and the interval that should hold 9 measurements in 10; all None when `abstained` says why not.

    `before_learning` is the value that the constants alone give, where runs on this machine have corrected it.
    """

    value: float | None
    low: float | None
    high: float | None
    source: str
    abstained: str | None = None
    before_learning: float | None = None

    @classmethod
    def unknown(cls, reason: str) -> Estimate:
        return cls(value=None, low=None, high=None, source="", abstained=reason)

    def times(self, factor: float) -> Estimate:
        """The same figure `factor` times over: the throughput of so many replicas."""
        if factor == 1 or self.value is None or self.low is None or self.high is None:
            return self
        bounds = self.low * factor, self.high * factor
        return Estimate(self.value * factor, *bounds, self.source, self.abstained, self.before_learning)


@dataclass(frozen=True, slots=True)
class Speed:
    """Speed at the workload's closed-loop concurrency.

    `ttft_ms`: mean time from sending a request to its first token, queueing included. `tpot_ms`: mean time between the
    tokens after the first, as one user sees it. `output_tokens_per_s`: generated tokens of the whole server, all
    requests together.
    """

    ttft_ms: Estimate
    tpot_ms: Estimate
    output_tokens_per_s: Estimate
    kernel: str

    def of_copies(self, copies: int) -> Speed:
        """What so many copies make together, each under such a load."""
        if copies == 1:
            return self
        return Speed(self.ttft_ms, self.tpot_ms, self.output_tokens_per_s.times(copies), self.kernel)

    @classmethod
    def unknown(cls, reason: str, kernel: str = "unknown") -> Speed:
        nothing = Estimate.unknown(reason)
        return cls(ttft_ms=nothing, tpot_ms=nothing, output_tokens_per_s=nothing, kernel=kernel)
