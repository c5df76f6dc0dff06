"""Answers questions about published runs: each figure with the interval that should hold nine measurements in ten."""

from __future__ import annotations

import math
from dataclasses import replace

from planner.speed.batch.question import Figure, Question
from planner.speed.batch.throughput_rows import OFFERED_REQUESTS
from planner.speed.constants import decode_rates, rates, serving_constants
from planner.speed.estimate import Estimate
from planner.speed.intervals import interval_of
from planner.speed.loads import (
    decode_step_ms,
    highest_tokens_per_s,
    pooled_served,
    prompt_alone_ms,
    served,
)
from planner.speed.serving import Served, ServingConstants, on_board
from planner.speed.steps import Rates

ROUNDS = 12


def estimates(question: Question) -> tuple[Estimate, ...]:
    """One estimate for each figure of the question, in the row's own unit."""
    values = figures(question)
    return tuple(_estimate(question, figure, value) for figure, value in zip(question.figures, values, strict=True))


def figures(question: Question) -> tuple[float, ...]:
    """The figures of the question, in the row's own units."""
    named = question.named
    levels = named.engine, named.kernel, named.gpu_class, named.vintage
    constants = serving_constants(*levels, named.release, named.scenario)
    question = at_the_offered_rate(question, rates(*levels), decode_rates(*levels), constants)
    return tuple(
        f.scale * measure(f, question, rates(*levels), decode_rates(*levels), constants) ** f.power
        for f in question.figures
    )


def at_the_offered_rate(question: Question, prompt: Rates, decode: Rates, constants: ServingConstants) -> Question:
    """The question at the concurrency its offered load leads to: arrivals x time in the server (Little's law)."""
    if question.offered_per_s is None or question.figures[0].kind == "tokens_per_s":
        return question
    load = replace(question.load, concurrency=1.0)
    for _ in range(ROUNDS):
        seen = served(load, prompt, decode, constants)
        seconds = (seen.ttft_ms + seen.tpot_ms * load.output_tokens) / 1000
        present = min(max(1.0, question.offered_per_s * seconds), OFFERED_REQUESTS)
        load = replace(load, concurrency=(load.concurrency + present) / 2)
    return replace(question, load=load)


def measure(figure: Figure, question: Question, prompt: Rates, decode: Rates, constants: ServingConstants) -> float:
    """Milliseconds of a figure, or tokens per second of a server kept full; arrays where the question holds arrays."""
    load = question.load
    if figure.kind == "tokens_per_s":
        return highest_tokens_per_s(load, prompt, decode, constants)
    if figure.served:
        seen = _under_load(question, prompt, decode, constants)
        return seen.tpot_ms if figure.kind == "tpot_ms" else seen.ttft_ms
    decode_ms = decode_step_ms(load, decode, on_board(load.concurrency, load.room)) if _any(figure.decodes) else 0.0
    prompt_ms = prompt_alone_ms(load, prompt) if _any(figure.prefills) else 0.0
    return figure.decodes * decode_ms + figure.prefills * prompt_ms + figure.requests * constants.request_ms


def _any(count: float) -> bool:
    """False for the number 0; True for any other, and for arrays."""
    return not (isinstance(count, float | int) and count == 0)


def _under_load(question: Question, prompt: Rates, decode: Rates, constants: ServingConstants) -> Served:
    if question.pools:
        return pooled_served(question.pools, prompt, decode, constants)
    return served(question.load, prompt, decode, constants)


def _estimate(question: Question, figure: Figure, value: float) -> Estimate:
    most = math.inf
    if question.offered_per_s is not None and figure.kind == "tokens_per_s":
        most = figure.scale * question.offered_per_s * question.load.output_tokens
    low, high, source = interval_of(question.named, figure.kind, mode_of(question, figure), question.guessed)
    if figure.power < 0:
        low, high = 1 / high, 1 / low
    return Estimate(min(value, most), min(value * low, most), min(value * high, most), source)


def mode_of(question: Question, figure: Figure) -> str:
    """Which kind of measurement a figure is: residuals are kept apart by it."""
    if question.pools:
        return "disagg"
    if figure.served:
        return "online" if question.offered_per_s or question.load.concurrency == OFFERED_REQUESTS else "agg"
    return "full" if figure.kind == "tokens_per_s" else "stream"
