"""Who asks what, and when: seeded requests whose lengths spread, by a rate or from a fixed number of clients."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from planner.errors import BadInput
from planner.serving.lengths import Lengths, Lognormal


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of mean `input_tokens` and `output_tokens`, drawn from `lengths` (None: every request alike).

    `prefix_hit_rate` is the part of a prompt found in the prefix cache (0 to below 1). Exactly one of `requests_per_s`
    (Poisson) and `clients` (each sends its next request when the last one ends) is given. BadInput for anything
    impossible.
    """

    input_tokens: int
    output_tokens: int
    requests_per_s: float | None = None
    clients: int | None = None
    lengths: Lengths | None = None
    prefix_hit_rate: float = 0.0

    def __post_init__(self) -> None:
        if (self.requests_per_s is None) == (self.clients is None):
            raise BadInput("a load is either a rate or a number of clients", fix="give one of --rate and --clients")
        if self.requests_per_s is not None and not 0 < self.requests_per_s < float("inf"):
            raise BadInput(f"{self.requests_per_s:g} requests/s: a load is above zero", fix="give --rate 5/s")
        if self.clients is not None and self.clients < 1:
            raise BadInput(f"{self.clients} clients: a load has at least one", fix="give --clients 8")
        if not 0 <= self.prefix_hit_rate < 1:
            raise BadInput(f"prefix-cache hit rate {self.prefix_hit_rate:g}: it lies from 0 to below 1")


@dataclass(slots=True)
class Asked:
    """One request: when it came, its tokens, and how far it is. Times in milliseconds."""

    number: int
    arrived_ms: float
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    first_ms: float = -1.0
    ended_ms: float = -1.0
    made: int = 0


@dataclass(slots=True)
class Source:
    """Makes requests in order. Gaps and lengths have streams of their own, so that two rates see the same requests."""

    traffic: Traffic
    longest_tokens: int
    gaps: Random
    lengths: Random
    count: int = 0
    clock_ms: float = 0.0

    @classmethod
    def of(cls, traffic: Traffic, longest_tokens: int, seed: int) -> Source:
        return cls(traffic, longest_tokens, Random(seed), Random(seed + 1))

    def next_by_rate(self) -> Asked:
        """The next request of a Poisson stream."""
        assert self.traffic.requests_per_s is not None
        self.clock_ms += self.gaps.expovariate(1.0) * 1000 / self.traffic.requests_per_s
        return self.request(self.clock_ms)

    def request(self, arrived_ms: float) -> Asked:
        traffic = self.traffic
        lengths = traffic.lengths or Lognormal(traffic.input_tokens, traffic.output_tokens, 0.0)
        prompt, output = self._within(*lengths.draw(self.lengths))
        self.count += 1
        return Asked(self.count - 1, arrived_ms, prompt, int(prompt * traffic.prefix_hit_rate), output)

    def _within(self, prompt: int, output: int) -> tuple[int, int]:
        """The same, or cut to what the server takes: half of it at most to write, the rest to read."""
        if prompt + output <= self.longest_tokens:
            return prompt, output
        output = min(output, max(self.longest_tokens // 2, 1))
        return min(prompt, max(self.longest_tokens - output, 1)), output
