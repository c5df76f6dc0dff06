"""Perplexity as llama-perplexity prints it, and whether an increase is tolerable.

llama.cpp writes its log in a thread of its own and may exit before the last lines are out (ggml-org/llama.cpp#22142).
The running value after the last window is the same figure, so either line will do; with neither, it has to run again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from planner.errors import ExecutionFailed

FINAL = re.compile(r"Final estimate: PPL = ([0-9.]+) \+/- ([0-9.]+)")
CHUNKS = re.compile(r"(?:calculating perplexity|computing) over (\d+) chunks, n_ctx=(\d+)")
RUNNING = re.compile(r"\[(\d+)\](-?nan|-?inf|[0-9.]+),")
TOO_SHORT = re.compile(r"the data file you provided tokenizes to only (\d+) tokens")


@dataclass(frozen=True, slots=True)
class Perplexity:
    """exp(mean negative log-likelihood of a token), its standard error, and the text windows it was taken over.

    `standard_error` is None where the line that has it was lost.
    """

    value: float
    standard_error: float | None
    chunks: int
    context_tokens: int


@dataclass(frozen=True, slots=True)
class Increase:
    """How much worse a model became. `tolerable` is None where no tolerance was given."""

    absolute: float
    percent: float
    tolerable: bool | None


class LinesLost(ExecutionFailed):
    """llama-perplexity ended well, but its last lines were never written."""


def parse_perplexity(output: str, text_name: str) -> Perplexity:
    """The perplexity in llama-perplexity's output.

    ExecutionFailed when the text is too short or the figure is no number; LinesLost when the figure is not there.
    """
    windows, final, running = CHUNKS.search(output), FINAL.search(output), RUNNING.findall(output)
    if windows:
        count, context_tokens = int(windows[1]), int(windows[2])
        if final:
            return Perplexity(float(final[1]), float(final[2]), count, context_tokens)
        if running and not running[-1][1][-1].isdigit():
            raise _no_number(running[-1][1], text_name)
        if running and int(running[-1][0]) == count:
            return Perplexity(float(running[-1][1]), None, count, context_tokens)
    if short := TOO_SHORT.search(output):
        raise ExecutionFailed(
            f"the text has only {short[1]} tokens, too few to measure perplexity",
            where=text_name,
            fix="give a longer text, at least two context windows of it",
        )
    raise LinesLost(
        "llama-perplexity ended before it had written its result", where=text_name, fix="apply the plan again"
    )


def _no_number(printed: str, text_name: str) -> ExecutionFailed:
    return ExecutionFailed(
        f"the perplexity is {printed}: the model's outputs are no numbers",
        where=text_name,
        fix="check the model file; plan another format if the original is sound",
    )


def windows_told(report: Callable[[str, float | None], None], message: str) -> Callable[[str], None]:
    """Hears a tool of llama.cpp say how many windows of a text there are, and reports how many are done."""
    total = 0

    def on_line(line: str) -> None:
        nonlocal total
        if found := CHUNKS.search(line):
            total = int(found[1])
        if total and (done := RUNNING.findall(line)):
            report(message, int(done[-1][0]) / total)

    return on_line


def increase(before: float, after: float, max_increase: float | None, max_increase_percent: float | None) -> Increase:
    """The increase over the original; tolerable when it is below either limit (A.eval.ppl: < 0.3, about 5 %).

    The source states both for perplexities near 6; the absolute one is strict for larger values, the other for smaller.
    """
    absolute = after - before
    percent = absolute / before * 100
    limits = [(absolute, max_increase), (percent, max_increase_percent)]
    judged = [value < limit for value, limit in limits if limit is not None]
    return Increase(absolute, percent, any(judged) if judged else None)
