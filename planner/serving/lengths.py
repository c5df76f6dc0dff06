"""How long requests are: spread around a mean, within a range, or as a file of real ones has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import exp, log, sqrt
from pathlib import Path
from random import Random
from typing import Protocol

from planner.errors import BadInput

HEADER = "input_tokens,output_tokens"
COUNT = re.compile("[1-9][0-9]{0,8}")


class Lengths(Protocol):
    """Draws requests; `says` describes them to a reader."""

    @property
    def says(self) -> str: ...

    def draw(self, random: Random) -> tuple[int, int]:
        """Prompt and output tokens of one request, at least one each."""
        ...


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Prompts and outputs, each for itself, with `spread` as standard deviation over mean (0: all alike)."""

    input_tokens: int
    output_tokens: int
    spread: float

    def __post_init__(self) -> None:
        if not 0 <= self.spread <= 5:
            raise BadInput(f"length spread {self.spread:g}: it lies from 0 to 5 (standard deviation / mean)")

    @property
    def says(self) -> str:
        return f"spread lognormally by {self.spread:.0%}" if self.spread else "all alike"

    def draw(self, random: Random) -> tuple[int, int]:
        output = self._length(self.output_tokens, random)
        return self._length(self.input_tokens, random), output

    def _length(self, mean: int, random: Random) -> int:
        if not self.spread:
            return mean
        variance = log(1 + self.spread**2)
        return max(1, round(mean * exp(sqrt(variance) * random.gauss(0, 1) - variance / 2)))


@dataclass(frozen=True, slots=True)
class Uniform:
    """Prompts and outputs, each for itself, anywhere within `ratio` of the mean (`vllm bench --random-range-ratio`)."""

    input_tokens: int
    output_tokens: int
    ratio: float

    def __post_init__(self) -> None:
        if not 0 <= self.ratio < 1:
            raise BadInput(
                f"length range {self.ratio:g}: it lies from 0 to below 1",
                fix="give --length-range 0.5 for lengths from half the mean to one and a half",
            )

    @property
    def says(self) -> str:
        return f"anywhere within {self.ratio:.0%} of that"

    def draw(self, random: Random) -> tuple[int, int]:
        return self._length(self.input_tokens, random), self._length(self.output_tokens, random)

    def _length(self, mean: int, random: Random) -> int:
        return max(1, random.randint(round(mean * (1 - self.ratio)), round(mean * (1 + self.ratio))))


@dataclass(frozen=True, slots=True)
class Recorded:
    """Requests as a file has them: pairs are drawn whole, so that long prompts keep their own outputs."""

    pairs: tuple[tuple[int, int], ...]
    name: str

    @property
    def says(self) -> str:
        return f"drawn from the {len(self.pairs):,} requests of {self.name}"

    @property
    def mean_input_tokens(self) -> int:
        return max(1, round(sum(prompt for prompt, _ in self.pairs) / len(self.pairs)))

    @property
    def mean_output_tokens(self) -> int:
        return max(1, round(sum(output for _, output in self.pairs) / len(self.pairs)))

    def draw(self, random: Random) -> tuple[int, int]:
        return random.choice(self.pairs)

    def require_within(self, longest_tokens: int) -> None:
        """BadInput where a request is longer than the server takes: it would be refused there, too."""
        too_long = [prompt + output for prompt, output in self.pairs if prompt + output > longest_tokens]
        if too_long:
            raise BadInput(
                f"{len(too_long):,} of {len(self.pairs):,} requests are longer than the {longest_tokens:,} tokens that "
                f"the server takes; the longest has {max(too_long):,}",
                where=self.name,
                fix="leave them out, or plan for more memory or a model of longer context",
            )


def read_lengths(path: Path) -> Recorded:
    """One `input_tokens,output_tokens` a line; a header and empty lines are passed over. BadInput with the line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadInput(f"cannot read lengths: {reason}", where=str(path), fix=f"name a file of {HEADER}") from None
    pairs = tuple(
        _pair(line, f"{path}:{number}")
        for number, line in enumerate(lines, 1)
        if line.strip() and not (number == 1 and line.replace(" ", "") == HEADER)
    )
    if not pairs:
        raise BadInput("no lengths in it", where=str(path), fix=f"write one {HEADER} a line, such as 812,240")
    return Recorded(pairs, path.name)


def _pair(line: str, where: str) -> tuple[int, int]:
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != 2 or not all(COUNT.fullmatch(cell) for cell in cells):
        raise BadInput(
            f"{line.strip()[:60]!r} is not a pair of token counts", where=where, fix=f"write {HEADER}, such as 812,240"
        )
    return int(cells[0]), int(cells[1])
