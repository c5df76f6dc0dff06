"""Answers that go round in circles: the commonest way a broken quantization shows in text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

WORDS = 4


def repeated_share(text: str, words: int = WORDS) -> float:
    """The share of an answer's n-grams (of `words` words) that occurred in it before: 0 fresh, near 1 a loop.

    Where a language has no spaces the n-grams are of characters. 1 - distinct n-grams / n-grams (Welleck et al. 2020,
    seq-rep-n). An answer too short for two n-grams repeats nothing.
    """
    units: Sequence[str] = text.split()
    if len(units) <= words and len(text) > 8 * words:
        units, words = text, 2 * words
    grams = [tuple(units[place : place + words]) for place in range(len(units) - words + 1)]
    return 1 - len(set(grams)) / len(grams) if len(grams) > 1 else 0.0


def longest_run(text: str) -> int:
    """How often the commonest word follows itself without a break."""
    longest = run = 0
    before = None
    for word in text.split():
        run = run + 1 if word == before else 1
        longest, before = max(longest, run), word
    return longest


def commonest(text: str) -> str:
    """The commonest word, to be shown."""
    counted = Counter(text.split()).most_common(1)
    return counted[0][0] if counted else ""
