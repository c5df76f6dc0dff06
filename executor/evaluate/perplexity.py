"""Perplexity as llama-perplexity prints it, and whether an increase is tolerable."""

from __future__ import annotations

import re
from dataclasses import dataclass

from planner.errors import ExecutionFailed

FINAL = re.compile(r"Final estimate: PPL = ([0-9.]+) \+/- ([0-9.]+)")
CHUNKS = re.compile(r"calculating perplexity over (\d+) chunks, n_ctx=(\d+)")
RUNNING = re.compile(r"\[(\d+)\]\d+\.\d+,")
TOO_SHORT = re.compile(r"the data file you provided tokenizes to only (\d+) tokens")


@dataclass(frozen=True, slots=True)
class Perplexity:
    """exp(mean negative log-likelihood of a token), its standard error, and the text windows it was taken over."""

    value: float
    standard_error: float
    chunks: int
    context_tokens: int


@dataclass(frozen=True, slots=True)
class Increase:
    """How much worse a model became. `tolerable` is None where no tolerance was given."""

    absolute: float
    percent: float
    tolerable: bool | None


def parse_perplexity(output: str, text_name: str) -> Perplexity:
    """The final estimate in llama-perplexity's output. ExecutionFailed when it made none or one that is no number."""
    final, chunks = FINAL.search(output), CHUNKS.search(output)
    if final and chunks:
        return Perplexity(float(final[1]), float(final[2]), int(chunks[1]), int(chunks[2]))
    if short := TOO_SHORT.search(output):
        raise ExecutionFailed(
            f"the text has only {short[1]} tokens, too few to measure perplexity",
            where=text_name,
            fix="give a longer text, at least two context windows of it",
        )
    raise ExecutionFailed(
        "llama-perplexity printed no final estimate; with a broken model it prints nan",
        where=text_name,
        fix="read the step's log; check the model file",
    )


def lost_its_end(output: str) -> bool:
    """Whether windows were measured and no estimate follows: llama.cpp does not wait for its log thread at exit."""
    return bool(RUNNING.search(output)) and "Final estimate" not in output


def chunks_done(line: str) -> int | None:
    """How many windows are done, from a progress line `[1]5.1,[2]5.3,`."""
    done = RUNNING.findall(line)
    return int(done[-1]) if done else None


def increase(before: float, after: float, max_increase: float | None, max_increase_percent: float | None) -> Increase:
    """The increase over the original; tolerable when it is below either limit (A.eval.ppl: < 0.3, about 5 %).

    The source states both for perplexities near 6; the absolute one is strict for larger values, the other for smaller.
    """
    absolute = after - before
    percent = absolute / before * 100
    limits = [(absolute, max_increase), (percent, max_increase_percent)]
    judged = [value < limit for value, limit in limits if limit is not None]
    return Increase(absolute, percent, any(judged) if judged else None)
