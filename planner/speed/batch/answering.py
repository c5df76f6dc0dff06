"""Answers questions about published runs: each figure with the interval that should hold nine measurements in ten."""

from __future__ import annotations

from planner.speed.batch.question import Figure, Named, Question
from planner.speed.constants import decode_rates, rates, serving_constants
from planner.speed.estimate import Estimate
from planner.speed.intervals import interval_of
from planner.speed.loads import (
    Load,
    decode_step_ms,
    highest_tokens_per_s,
    pooled_served,
    prompt_alone_ms,
    served,
)
from planner.speed.serving import Served, ServingConstants, on_board
from planner.speed.steps import Rates


def estimates(question: Question) -> tuple[Estimate, ...]:
    """One estimate for each figure of the question, in the row's own unit."""
    values = figures(question)
    return tuple(_estimate(question, figure, value) for figure, value in zip(question.figures, values, strict=True))


def figures(question: Question) -> tuple[float, ...]:
    """The figures of the question, in the row's own units."""
    named = question.named
    prompt = rates(*_levels(named))
    decode = decode_rates(*_levels(named))
    constants = serving_constants(*_levels(named), named.release)
    under_load = _under_load(question, prompt, decode, constants) if question.figures[0].served else None
    return tuple(
        f.scale * _measure(f, question.load, under_load, prompt, decode, constants) ** f.power for f in question.figures
    )


def _levels(named: Named) -> tuple[str, str, str, str]:
    return named.engine, named.kernel, named.gpu_class, named.vintage


def _under_load(question: Question, prompt: Rates, decode: Rates, constants: ServingConstants) -> Served:
    if question.pools:
        return pooled_served(question.pools, prompt, decode, constants)
    return served(question.load, prompt, decode, constants)


def _measure(
    figure: Figure, load: Load, under_load: Served | None, prompt: Rates, decode: Rates, constants: ServingConstants
) -> float:
    """Milliseconds of a figure, or tokens per second of a server kept full."""
    if figure.kind == "tokens_per_s":
        return highest_tokens_per_s(load, prompt, decode, constants)
    if under_load:
        return under_load.tpot_ms if figure.kind == "tpot_ms" else under_load.ttft_ms
    decode_ms = decode_step_ms(load, decode, on_board(load.concurrency, load.room)) if figure.decodes else 0.0
    prompt_ms = prompt_alone_ms(load, prompt) if figure.prefills else 0.0
    return figure.decodes * decode_ms + figure.prefills * prompt_ms + figure.requests * constants.request_ms


def _estimate(question: Question, figure: Figure, value: float) -> Estimate:
    low, high, source = interval_of(question.named, figure.kind, mode_of(question, figure), question.guessed)
    if figure.power < 0:
        low, high = 1 / high, 1 / low
    return Estimate(value, value * low, value * high, source)


def mode_of(question: Question, figure: Figure) -> str:
    """Which kind of measurement a figure is: residuals are kept apart by it."""
    if question.pools:
        return "disagg"
    if figure.served:
        return "agg"
    return "full" if figure.kind == "tokens_per_s" else "stream"
