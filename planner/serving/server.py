"""The server as a simulation sees it: how long its steps take, and the limits its scheduler keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

CONTEXT_GRID_TOKENS = 64


class StepClock(Protocol):
    """Milliseconds of a step, at a mean context. `planner.speed.stepping.StepTimes` is one; tests have a simple one."""

    def decode_step_ms(self, batch: float, context_tokens: float) -> float: ...

    def prompt_step_ms(
        self, tokens: float, context_tokens: float = 0.0, batch: float = 0.0, batch_context_tokens: float = 0.0
    ) -> float: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What the scheduler keeps to: sequences at once, tokens a step, in the KV cache, in a request, in a block.

    `tokens_each`: tokens of a step that a running sequence takes (more than one where a draft is verified in it).
    """

    max_sequences: int
    batched_tokens: int
    kv_tokens: int
    longest_tokens: int
    block_tokens: int = 16
    tokens_each: int = 1


@dataclass(slots=True)
class Server:
    """A step clock with its limits. `interference`: how many times what a prompt adds to a step others wait for, where
    they decode in it; `request_ms`: what the host adds before a first token; `entry_steps`: decode steps that pass
    before the scheduler sees a new request (the same constants as in planner/speed/serving.py). Decode times are kept
    on a grid of contexts, so that a busy minute asks the clock a few hundred times.
    """

    clock: StepClock
    limits: Limits
    interference: float = 1.0
    request_ms: float = 0.0
    entry_steps: float = 0.0
    _decode: dict[tuple[int, int], float] = field(default_factory=dict)

    def decode_ms(self, batch: int, context_tokens: float) -> float:
        cell = round(context_tokens / CONTEXT_GRID_TOKENS)
        found = self._decode.get((batch, cell))
        if found is None:
            found = self._decode[batch, cell] = self.clock.decode_step_ms(batch, max(cell * CONTEXT_GRID_TOKENS, 1))
        return found

    def mixed_ms(self, batch: int, context_tokens: float, chunk_tokens: int, chunk_context: float) -> float:
        """A step that reads prompt tokens, alone or beside `batch` decoding sequences.

        It is one pass: weights are read and layers launched once for all its tokens (vLLM, "CUDA Graphs": mixed
        batches), so a prompt adds what the pass takes longer than the decode step it stands in for.
        """
        together = self.clock.prompt_step_ms(chunk_tokens, chunk_context, batch, context_tokens)
        if not batch:
            return together
        decode = self.decode_ms(batch, context_tokens)
        return decode + self.interference * max(together - decode, 0.0)
