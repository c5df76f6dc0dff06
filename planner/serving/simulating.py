"""The scheduler of a continuous-batching server, simulated: chunked prefill, KV blocks, preemption by recompute.

As vLLM schedules (v1): running sequences first, then prompts in order of arrival with what is left of the step's
tokens; when the KV cache runs out, the sequence that came last gives up its blocks and is read again later. Steps that
only decode, with nothing coming or going between them, are taken together.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from math import inf

from planner.serving.outcome import Outcome, Waits, waits_of
from planner.serving.server import Server
from planner.serving.traffic import Asked, Source, Traffic

MEASURED_REQUESTS = 1000
WARM_UP_SHARE = 0.2


@dataclass(slots=True)
class Reading:
    """A prompt on board: tokens still to be read, and those read before."""

    asked: Asked
    left: int
    done: int


@dataclass(slots=True)
class Simulation:
    """One run. `entering`: when the scheduler will know of a request, and the request, in order of arrival. `decoding`
    is a heap of (decode step at which it ends, number, request, step at which it began)."""

    server: Server
    source: Source
    first_measured: int
    last_measured: int
    now_ms: float = 0.0
    steps: int = 0
    held_tokens: float = 0.0
    preemptions: int = 0
    entering: deque[tuple[float, Asked]] = field(default_factory=deque)
    waiting: deque[Asked] = field(default_factory=deque)
    reading: list[Reading] = field(default_factory=list)
    decoding: list[tuple[int, int, Asked, int]] = field(default_factory=list)
    coming: Asked | None = None
    finished: list[Asked] = field(default_factory=list)
    began_ms: float = -1.0
    waiting_start: int = 0
    tokens: int = 0
    running_ms: float = 0.0
    held_ms: float = 0.0
    gaps: list[tuple[float, int]] = field(default_factory=list)

    def run(self) -> Outcome:
        """Until every measured request has ended; new ones keep coming until then."""
        wanted = self.last_measured - self.first_measured
        clients = self.source.traffic.clients
        if clients is None:
            self.coming = self.source.next_by_rate()
        else:
            for _ in range(clients):
                self.enter(self.source.request(0.0))
        while len(self.finished) < wanted:
            self.take_arrivals()
            chunk, context = self.read_prompts()
            if not self.decoding and not chunk:
                self.now_ms = self.next_ms()
            else:
                self.step(chunk, context)
        return self.outcome()

    def take_arrivals(self) -> None:
        while self.coming is not None and self.coming.arrived_ms <= self.now_ms:
            self.enter(self.coming)
            self.coming = self.source.next_by_rate()
        while self.entering and self.entering[0][0] <= self.now_ms:
            self.waiting.append(self.entering.popleft()[1])
        if self.began_ms < 0 and self.source.count > self.first_measured:
            self.began_ms, self.waiting_start = self.now_ms, len(self.waiting)

    def enter(self, asked: Asked) -> None:
        """The host takes a request in while the server goes on: some steps pass before the scheduler sees it."""
        others = len(self.decoding)
        context = self.held_tokens / (others + len(self.reading)) if others else asked.prompt_tokens
        took_ms = self.server.entry_steps * self.server.decode_ms(max(others, 1), context)
        self.entering.append((asked.arrived_ms + took_ms, asked))

    def next_ms(self) -> float:
        """When the next request comes or is taken in; never, where none is on its way."""
        coming_ms = self.coming.arrived_ms if self.coming else inf
        return min(coming_ms, self.entering[0][0]) if self.entering else coming_ms

    def read_prompts(self) -> tuple[int, float]:
        """Gives the step's spare tokens to prompts, in order; their number and the mean context before them."""
        limits = self.server.limits
        budget = max(limits.batched_tokens - limits.tokens_each * len(self.decoding), 1)
        chunk, weighted = 0, 0.0
        for reading in self.reading:
            taken = min(reading.left, budget - chunk)
            weighted += taken * (reading.done + taken / 2)
            reading.left, reading.done, chunk = reading.left - taken, reading.done + taken, chunk + taken
        while self.waiting and chunk < budget and self.has_room(self.waiting[0]):
            asked = self.waiting.popleft()
            self.held_tokens += self.tokens_of(asked)
            cached = asked.cached_tokens
            left = asked.prompt_tokens + asked.made - cached
            taken = min(left, budget - chunk)
            weighted += taken * (cached + taken / 2)
            self.reading.append(Reading(asked, left - taken, cached + taken))
            chunk += taken
        return chunk, weighted / chunk / 2 if chunk else 0.0

    def has_room(self, asked: Asked) -> bool:
        limits, on_board = self.server.limits, len(self.decoding) + len(self.reading)
        if on_board >= limits.max_sequences:
            return False
        return not on_board or self.held_tokens + self.tokens_of(asked) + on_board <= limits.kv_tokens

    def tokens_of(self, asked: Asked) -> float:
        """Tokens of KV cache a sequence takes: half a block is lost at its end, on average."""
        return asked.prompt_tokens + asked.made + self.server.limits.block_tokens / 2

    def step(self, chunk: int, chunk_context: float) -> None:
        """One step with prompts in it, or as many decode steps as nothing interrupts."""
        self.free_blocks()
        batch = len(self.decoding)
        context = self.held_tokens / max(batch + len(self.reading), 1)
        if chunk:
            count, each = 1, self.server.mixed_ms(batch, context, chunk, chunk_context)
        elif batch:
            count = self.uninterrupted(batch, self.server.decode_ms(batch, context))
            each = self.server.decode_ms(batch, context + count / 2)
        else:
            return
        self.pass_time(count, each, batch)
        self.end_sequences()
        if chunk:
            self.first_tokens()

    def uninterrupted(self, batch: int, each_ms: float) -> int:
        """Decode steps until the first sequence ends, the next request comes, or the KV cache is full."""
        room = int((self.server.limits.kv_tokens - self.held_tokens) / batch)
        count = min(self.decoding[0][0] - self.steps, room)
        next_ms = self.next_ms()
        if next_ms < inf:
            count = min(count, int((next_ms - self.now_ms) / each_ms) + 1)
        return max(1, count)

    def free_blocks(self) -> None:
        """Takes sequences off board, the last to come first, until the others can grow by a token."""
        while len(self.decoding) > 1 and self.held_tokens + len(self.decoding) > self.server.limits.kv_tokens:
            last = max(self.decoding, key=lambda entry: entry[1])
            self.decoding.remove(last)
            heapify(self.decoding)
            asked = last[2]
            asked.made += self.steps - last[3]
            self.held_tokens -= self.tokens_of(asked)
            self.waiting.appendleft(asked)
            self.preemptions += 1

    def pass_time(self, count: int, each_ms: float, batch: int) -> None:
        took = count * each_ms
        self.now_ms += took
        self.steps += count
        self.held_tokens += count * batch
        if self.began_ms >= 0:
            self.tokens += count * batch
            self.running_ms += took * (batch + len(self.reading))
            self.held_ms += took * min(self.held_tokens / self.server.limits.kv_tokens, 1.0)
            if batch:
                self.gaps.append((each_ms, count * batch))

    def end_sequences(self) -> None:
        while self.decoding and self.decoding[0][0] <= self.steps:
            _, _, asked, began = heappop(self.decoding)
            asked.made += self.steps - began
            self.held_tokens -= self.tokens_of(asked)
            self.end(asked)

    def first_tokens(self) -> None:
        """Prompts read to their end give their first token, and decode from the next step on."""
        for reading in [reading for reading in self.reading if not reading.left]:
            self.reading.remove(reading)
            asked = reading.asked
            if asked.first_ms < 0:
                asked.first_ms = self.now_ms + self.server.request_ms
            asked.made += 1
            self.held_tokens += 1
            self.tokens += self.began_ms >= 0
            if asked.made >= asked.output_tokens:
                self.held_tokens -= self.tokens_of(asked)
                self.end(asked)
            else:
                ends = self.steps + asked.output_tokens - asked.made
                heappush(self.decoding, (ends, asked.number, asked, self.steps))

    def end(self, asked: Asked) -> None:
        asked.ended_ms = self.now_ms + self.server.request_ms
        if self.first_measured <= asked.number < self.last_measured:
            self.finished.append(asked)
        if self.source.traffic.clients is not None:
            self.enter(self.source.request(asked.ended_ms))

    def outcome(self) -> Outcome:
        ttft, tpot, end_to_end = waits_of(self.finished)
        took_ms = self.now_ms - self.began_ms
        tokens = sum(asked.output_tokens for asked in self.finished)
        tokens_per_s = 1000 * self.tokens / took_ms
        return Outcome(
            requests=len(self.finished),
            ttft_ms=ttft,
            tpot_ms=tpot,
            itl_ms=Waits.of([ms for ms, _ in self.gaps], [count for _, count in self.gaps]),
            end_to_end_ms=end_to_end,
            requests_per_s=tokens_per_s * len(self.finished) / tokens,
            output_tokens_per_s=tokens_per_s,
            running=self.running_ms / took_ms,
            preemptions=self.preemptions,
            kv_share=self.held_ms / took_ms,
            waiting_start=self.waiting_start,
            waiting_end=len(self.waiting),
        )


def simulate(server: Server, traffic: Traffic, *, requests: int = MEASURED_REQUESTS, seed: int = 0) -> Outcome:
    """What `requests` requests of this traffic meet on this server, after a warm-up; the same seed, the same answer."""
    skipped = max(int(requests * WARM_UP_SHARE), traffic.clients or 0)
    source = Source.of(traffic, server.limits.longest_tokens, seed)
    return Simulation(server, source, skipped, skipped + requests).run()
