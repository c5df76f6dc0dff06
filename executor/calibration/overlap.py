"""Whether calibration text holds passages of the evaluation text: calibrated on the test, a result flatters itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from executor.calibration.samples import Sample

WORD = re.compile(r"\w+")


def overlapping(samples: Sequence[Sample], evaluation_text: str, words: int) -> dict[int, str]:
    """By index, the samples that share a run of `words` words with the evaluation text, each with its first such run.

    Case, punctuation and spacing do not matter. Text without spaces between words is compared by runs of characters.
    """
    held_out = set(runs(evaluation_text, words))
    found = {}
    for index, sample in enumerate(samples):
        shared = next((run for run in runs(sample.words, words) if run in held_out), None)
        if shared is not None:
            found[index] = shared
    return found


def runs(text: str, words: int) -> Iterator[str]:
    tokens = [part for token in WORD.findall(text.lower()) for part in (token if _is_unspaced(token) else [token])]
    return (" ".join(tokens[start : start + words]) for start in range(len(tokens) - words + 1))


def _is_unspaced(token: str) -> bool:
    """Chinese and Japanese put no spaces between words."""
    return any("\u3040" <= letter <= "\u30ff" or "\u3400" <= letter <= "\u9fff" for letter in token)
