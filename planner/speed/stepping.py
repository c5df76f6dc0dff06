"""Times of single steps, for whoever simulates a scheduler: one decode step, one step that reads prompt tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace

from planner.hardware.hardware import Accelerator
from planner.models.shape import Shape
from planner.schemes import Scheme
from planner.speed.anatomy import Anatomy, anatomy
from planner.speed.constants import decode_rates, gpu_class, rates, serving_constants
from planner.speed.gpu import peaks_of
from planner.speed.measured import support
from planner.speed.serving import ServingConstants
from planner.speed.steps import Peaks, Rates, prompt_step_ms, step_ms
from planner.speed.work import Running, chunk_work, decode_work


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Milliseconds of the steps of one run; arguments may be floats or numpy arrays of one length.

    `constants` tells what the engine adds to a request (`request_ms`, see planner/speed/serving.py).
    """

    model: Anatomy
    run: Running
    peaks: Peaks
    prompt: Rates
    decode: Rates
    constants: ServingConstants

    def decode_step_ms(self, batch: float, context_tokens: float) -> float:
        """A step that gives one token to each of `batch` requests that hold `context_tokens` each, on average."""
        work = decode_work(self.model, self.run.stored, self.run.layout, batch, context_tokens)
        return step_ms(work, self.peaks, self.decode)

    def verify_step_ms(self, batch: float, context_tokens: float, tokens_each: float) -> float:
        """A step in which each request has `tokens_each` tokens to look at; its cache is read once for all of them."""
        every = decode_work(self.model, self.run.stored, self.run.layout, batch * tokens_each, context_tokens)
        once = decode_work(self.model, self.run.stored, self.run.layout, batch, context_tokens)
        return step_ms(replace(every, cache_bytes=once.cache_bytes, sequences=batch), self.peaks, self.decode)

    def prompt_step_ms(
        self, tokens: float, context_tokens: float = 0.0, batch: float = 0.0, batch_context_tokens: float = 0.0
    ) -> float:
        """A step that reads `tokens` tokens of one prompt, of which `context_tokens` are in the cache already.

        `batch` requests that hold `batch_context_tokens` each may get a token in the same pass.
        """
        of_this_run = self.model, self.run.stored, self.run.layout
        work = chunk_work(*of_this_run, tokens, context_tokens, batch, batch_context_tokens)
        return prompt_step_ms(work, self.peaks, self.prompt)


def step_times(shape: Shape, accelerator: Accelerator, scheme: Scheme, run: Running) -> StepTimes | None:
    """The steps of this run; None where nothing is known of the engine or of that arithmetic on the GPU."""
    named = run.engine, run.kernel, gpu_class(accelerator)
    peaks = peaks_of(accelerator, scheme.activation, run.kernel)
    if peaks is None or support(*named) is None:
        return None
    return StepTimes(anatomy(shape), run, peaks, rates(*named), decode_rates(*named), serving_constants(*named))
