"""How busy a load keeps an accelerator: the share of its datasheet bandwidth and arithmetic that is really used."""

from __future__ import annotations

from dataclasses import dataclass

from planner.speed.loads import Load
from planner.speed.steps import Peaks
from planner.speed.work import Work, decode_work, prefill_work

MS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class Utilisation:
    """Shares of one accelerator's datasheet rates, means over time. `has_experts`: the model routes between experts."""

    bandwidth: float
    arithmetic: float
    has_experts: bool


def utilisation(load: Load, output_tokens_per_s: float) -> Utilisation:
    """What `output_tokens_per_s` of one copy of the model takes: decode steps, and the arithmetic of prompts.

    Prompts share their reading of weights with one another, so only their arithmetic is counted.
    """
    context = load.input_tokens + load.output_tokens / 2
    step = decode_work(load.model, load.stored, load.layout, load.concurrency, context)
    prompt = prefill_work(load.model, load.stored, load.layout, load.input_tokens)
    steps_per_ms = output_tokens_per_s / load.concurrency / MS_PER_S
    prompts_per_ms = output_tokens_per_s / load.output_tokens / MS_PER_S
    read = step.dense_bytes + step.expert_bytes + step.plain_bytes + step.cache_bytes
    decoding = _multiplying_ms(step, load.peaks) * steps_per_ms
    prompting = _multiplying_ms(prompt, load.peaks) * prompts_per_ms
    return Utilisation(
        bandwidth=read * steps_per_ms / load.peaks.memory_bytes_per_ms,
        arithmetic=decoding + prompting,
        has_experts=load.model.expert > 0,
    )


def _multiplying_ms(work: Work, peaks: Peaks) -> float:
    """Milliseconds the arithmetic would take at datasheet rates."""
    in_format = (work.dense_operations + work.expert_operations) / peaks.scheme_operations_per_ms
    return in_format + (work.plain_operations + work.attention_operations) / peaks.plain_operations_per_ms
