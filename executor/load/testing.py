"""One load test: warm-up, then the counted requests of an open or a closed loop, on a server that is up.

Our own generator rather than guidellm 0.8.1 or `vllm bench serve`, because a finding needs what both lack or make
harder: prompts of token ids, exactly as long as planned, from any text, with no tokenizer at hand; answers of exactly
the planned length on every engine; no prompt served from a cache; no second environment of a gigabyte. It is one
process, and a request of 128 tokens in and 32 out costs it 3 ms of a processor (measured on an AMD Zen 3 core), so it
keeps up with some three hundred a second; for more than that, or for days of load, take guidellm.
`benchmarks/load_generators.py` holds it against `vllm bench serve` on the same server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from executor.engines.engine import Engine
from executor.load.closed_loop import LoopResult, closed_loop
from executor.load.exchange import Exchange, Prompt, complete
from executor.load.lengths import Length, lengths, read_lengths
from executor.load.open_loop import arrival_times_s, open_loop
from executor.load.prompts import prompts_for

if TYPE_CHECKING:
    import httpx

SEED = 20261121
Request = tuple[Prompt, int]
OnDone = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Load:
    """How many requests of what length, after how many that are not counted; `concurrency` at a time, or `rate_per_s`.

    `variation`: standard deviation of the lengths / their mean; `lengths_file` gives them instead. `longest_tokens`
    caps prompt and answer together (the context the server was started for).
    """

    input_tokens: int
    output_tokens: int
    requests: int
    warmup_requests: int = 0
    concurrency: int = 1
    rate_per_s: float | None = None
    variation: float = 0.0
    lengths_file: Path | None = None
    longest_tokens: int | None = None
    seed: int = SEED

    def lengths(self) -> list[Length]:
        """Of the warm-up's requests and the counted ones."""
        count = self.warmup_requests + self.requests
        if self.lengths_file is not None:
            return read_lengths(self.lengths_file, count)
        mean = Length(self.input_tokens, self.output_tokens)
        return lengths(mean, self.variation, count, self.seed, self.longest_tokens)


@dataclass(frozen=True, slots=True)
class Target:
    """A server that is up: a client of it, how its engine is spoken to, the model's name there, text for prompts."""

    client: httpx.AsyncClient
    engine: Engine
    model: str
    text: str

    async def send(self, request: Request) -> Exchange:
        prompt, output_tokens = request
        return await complete(self.client, self.model, prompt, output_tokens, self.engine.completion_options())

    async def requests(self, wanted: Sequence[Length]) -> list[Request]:
        """One request a length, its prompt cut from the text."""
        prompts: Sequence[Prompt] = await prompts_for(
            self.client, self.engine, self.model, self.text, [length.input_tokens for length in wanted]
        )
        return [(prompt, length.output_tokens) for prompt, length in zip(prompts, wanted, strict=True)]


async def measure(target: Target, load: Load, on_done: OnDone = lambda done, of: None) -> LoopResult:
    """Warm up, then send the counted requests and wait for all of them."""
    requests = await target.requests(load.lengths())
    return await counted(target, load, await warmed_up(target, load, requests), on_done)


async def warmed_up(target: Target, load: Load, requests: Sequence[Request]) -> Sequence[Request]:
    """The requests that are left once the first ones have warmed the server up."""
    await closed_loop(target.send, requests[: load.warmup_requests], max(load.concurrency, 1))
    return requests[load.warmup_requests :]


async def counted(
    target: Target, load: Load, requests: Sequence[Request], on_done: OnDone = lambda done, of: None
) -> LoopResult:
    """The counted requests: Poisson arrivals where a rate is given, else so many clients."""

    def told(done: int) -> None:
        on_done(done, len(requests))

    if load.rate_per_s is not None:
        arrivals_s = arrival_times_s(load.rate_per_s, len(requests), load.seed)
        return await open_loop(target.send, requests, arrivals_s, told)
    return await closed_loop(target.send, requests, load.concurrency, told)
