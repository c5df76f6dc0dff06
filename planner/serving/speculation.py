"""Speculative decoding: a draft proposes tokens, one step of the target verifies them all.

With k drafted tokens, each accepted with chance a if those before it were, a step yields (1 - a^(k+1)) / (1 - a)
tokens (Leviathan et al. 2023, arXiv 2211.17192, equation 1). It costs k steps of the draft and one of the target that
looks at k + 1 tokens of each sequence: nearly free while reading the weights sets the pace, not when multiplying does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from planner.errors import BadInput
from planner.speed.stepping import StepTimes
from planner.speed.steps import hostless


@dataclass(frozen=True, slots=True)
class Speculation:
    """What is asked for: `draft` (eagle, mtp, ngram or a model), tokens drafted a step, acceptance rate of a token.

    `acceptance` is the chance that a drafted token is accepted when those before it were. BadInput outside 0 to 1,
    and for no drafted tokens.
    """

    draft: str
    draft_tokens: int
    acceptance: float

    def __post_init__(self) -> None:
        if self.draft_tokens < 1:
            raise BadInput(f"{self.draft_tokens} drafted tokens: a draft has at least one", fix="give --draft-tokens 3")
        if not 0 <= self.acceptance <= 1:
            raise BadInput(
                f"acceptance {self.acceptance:g}: a share of drafted tokens lies from 0 to 1",
                fix="give --acceptance 0.7 for 70 %",
            )

    @property
    def tokens_per_step(self) -> float:
        """Tokens that one verified step yields, on average: its own and those accepted."""
        return sum(self.acceptance**accepted for accepted in range(self.draft_tokens + 1))


@dataclass(frozen=True, slots=True)
class SpeculativeClock:
    """A clock of a server that speculates; `draft` is None where nothing is computed to draft.

    A decode step is given per token: the time of drafting and verifying over the tokens that come of it.
    """

    target: StepTimes
    draft: StepTimes | None
    speculation: Speculation

    def draft_ms(self, batch: float, context_tokens: float) -> float:
        """Drafting, token after token; the host prepares it once, and the later tokens follow without it."""
        if self.draft is None:
            return 0.0
        following = replace(self.draft, decode=hostless(self.draft.decode))
        first_ms = self.draft.decode_step_ms(batch, context_tokens)
        return first_ms + (self.speculation.draft_tokens - 1) * following.decode_step_ms(batch, context_tokens)

    def verify_ms(self, batch: float, context_tokens: float) -> float:
        return self.target.verify_step_ms(batch, context_tokens, self.speculation.draft_tokens + 1)

    def decode_step_ms(self, batch: float, context_tokens: float) -> float:
        together = self.draft_ms(batch, context_tokens) + self.verify_ms(batch, context_tokens)
        return together / self.speculation.tokens_per_step

    def prompt_step_ms(
        self, tokens: float, context_tokens: float = 0.0, batch: float = 0.0, batch_context_tokens: float = 0.0
    ) -> float:
        """The draft reads every prompt, too. Beside others it adds to their step what it adds to plain ones."""
        models = (self.target, self.draft) if self.draft else (self.target,)
        together = sum(model.prompt_step_ms(tokens, context_tokens, batch, batch_context_tokens) for model in models)
        if not batch:
            return together
        plain = sum(model.decode_step_ms(batch, batch_context_tokens) for model in models)
        return self.decode_step_ms(batch, batch_context_tokens) + together - plain

    def speed_up(self, batch: float, context_tokens: float) -> float:
        """How many times faster a token comes than without a draft, where nobody's prompt is read."""
        return self.target.decode_step_ms(batch, context_tokens) / self.decode_step_ms(batch, context_tokens)


@dataclass(frozen=True, slots=True)
class AtBatch:
    """One batch: milliseconds of a plain step, of drafting and of verifying, and the speed-up per token."""

    batch: int
    plain_ms: float
    draft_ms: float
    verify_ms: float
    speed_up: float


def at_batch(clock: SpeculativeClock, batch: int, context_tokens: float) -> AtBatch:
    return AtBatch(
        batch=batch,
        plain_ms=clock.target.decode_step_ms(batch, context_tokens),
        draft_ms=clock.draft_ms(batch, context_tokens),
        verify_ms=clock.verify_ms(batch, context_tokens),
        speed_up=clock.speed_up(batch, context_tokens),
    )


def batches_up_to(most: int) -> tuple[int, ...]:
    """1, 2, 4 ... and the largest."""
    return (*(2**power for power in range(most.bit_length()) if 2**power < most), most)


def stops_paying_at(clock: SpeculativeClock, context_tokens: float, most: int) -> int | None:
    """The batch from which on, up to `most`, speculation gains nothing; None where it pays at `most` itself."""
    paying = [batch for batch in batches_up_to(most) if clock.speed_up(batch, context_tokens) > 1]
    low = paying[-1] if paying else 0
    if low == most:
        return None
    high = next(batch for batch in batches_up_to(most) if batch > low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if clock.speed_up(middle, context_tokens) > 1 else (low, middle)
    return high
