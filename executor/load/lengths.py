"""How long requests are: all alike, spread as real traffic is, or as a file of lengths says."""

from __future__ import annotations

import csv
import math
import random
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from planner.errors import BadInput

COLUMNS = ("input_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class Length:
    """Tokens of one request: its prompt's and its answer's."""

    input_tokens: int
    output_tokens: int


def lengths(mean: Length, variation: float, count: int, seed: int, longest: int | None = None) -> list[Length]:
    """`count` lengths around a mean; `variation` is standard deviation / mean, 0 makes all alike.

    Log-normal, as lengths of chat traffic are: many short, few long. `longest` caps prompt and answer together, by
    shortening the prompt, so that no request is refused for its length.
    """
    if not variation:
        return [mean] * count
    chance = random.Random(seed)
    drawn = [Length(_drawn(chance, mean.input_tokens, variation), _drawn(chance, mean.output_tokens, variation))
             for _ in range(count)]  # fmt: skip
    return [capped(length, longest) for length in drawn] if longest else drawn


def capped(length: Length, longest: int) -> Length:
    """The length cut to `longest` tokens in all."""
    output = min(length.output_tokens, longest - 1)
    return Length(min(length.input_tokens, longest - output), output)


def read_lengths(path: Path, count: int) -> list[Length]:
    """`count` lengths from a CSV file with input_tokens and output_tokens, from the top again at its end. BadInput."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [Length(*(int(row[name]) for name in COLUMNS)) for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise BadInput(
            f"not a file of lengths: {error}", where=str(path), fix=f"give a CSV with the columns {', '.join(COLUMNS)}"
        ) from None
    if not rows or any(min(row.input_tokens, row.output_tokens) < 1 for row in rows):
        raise BadInput("lengths must be 1 token or more", where=str(path), fix="give at least one row of such lengths")
    return list(islice(cycle(rows), count))


def _drawn(chance: random.Random, mean: int, variation: float) -> int:
    """A log-normal number with that mean and relative spread, at least 1."""
    sigma2 = math.log(1 + variation**2)
    return max(1, round(chance.lognormvariate(math.log(mean) - sigma2 / 2, math.sqrt(sigma2))))
