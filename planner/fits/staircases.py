"""How sequences fill a KV pool, for many models at once.

Every layout an engine has (`PlainLayout`, vLLM's `Pages`) is a sum of staircases: a part of the layers costs
`step_bytes` for each started `step_tokens`, up to `most_steps` (a window), on top of what is fixed (recurrent states,
a window's spare block).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.fits.arrays import Floats, Ints
from planner.memory.situation import Layout, PlainLayout
from planner.memory.vllm_pages import Pages

ENDLESS = 2**62
LONGEST_TOKENS = 2**40


@dataclass(frozen=True, slots=True)
class Stair:
    """One part of the layers."""

    step_tokens: int
    step_bytes: float
    most_steps: int = ENDLESS


@dataclass(frozen=True, eq=False, slots=True)
class Staircases:
    """One staircase a row: `[rows, parts]`, short rows padded with stairs that cost nothing; `fixed` is `[rows]`."""

    step_tokens: Ints
    step_bytes: Floats
    most_steps: Ints
    fixed: Floats

    def bytes(self, tokens: Ints) -> Floats:
        """Bytes of one sequence of that length, row by row."""
        steps = -(-tokens[:, None] // self.step_tokens)
        total: Floats = self.fixed + (np.minimum(steps, self.most_steps) * self.step_bytes).sum(axis=1)
        return total

    def rows(self, chosen: Ints) -> Staircases:
        return Staircases(
            self.step_tokens[chosen], self.step_bytes[chosen], self.most_steps[chosen], self.fixed[chosen]
        )


def staircases(layouts: Sequence[Layout]) -> Staircases:
    """The layouts as arrays, in their order."""
    parts = [stairs_of(layout) for layout in layouts]
    widest = max((len(stairs) for stairs, _ in parts), default=0) or 1
    padded = [[*stairs, *[Stair(1, 0.0)] * (widest - len(stairs))] for stairs, _ in parts]
    return Staircases(
        np.array([[stair.step_tokens for stair in stairs] for stairs in padded], dtype=np.int64),
        np.array([[stair.step_bytes for stair in stairs] for stairs in padded], dtype=np.float64),
        np.array([[stair.most_steps for stair in stairs] for stairs in padded], dtype=np.int64),
        np.array([fixed for _, fixed in parts], dtype=np.float64),
    )


def stairs_of(layout: Layout) -> tuple[list[Stair], float]:
    """The parts of one layout, and its fixed bytes."""
    if isinstance(layout, Pages):
        return _paged(layout)
    if isinstance(layout, PlainLayout):
        return _plain(layout), layout.kv.state_bytes
    raise TypeError(f"no staircase for {type(layout).__name__}")


def _plain(layout: PlainLayout) -> list[Stair]:
    block = layout.block_tokens
    return [
        Stair(
            block,
            part.bytes_per_token * block,
            -(-(part.window_tokens + layout.window_extra_tokens) // block) if part.window_tokens else ENDLESS,
        )
        for part in layout.kv.layers
    ]


def _paged(layout: Pages) -> tuple[list[Stair], float]:
    if not layout.kv.layers and not layout.kv.states:
        return [], 0.0
    if layout.kv.is_proportional:
        return [Stair(layout.block_tokens, layout.block_bytes, ENDLESS)], 0.0
    page_bytes, group_size, block_bytes = layout.page_bytes, layout.group_size, layout.block_bytes
    stairs, extra = [], layout.state_blocks
    for part in layout.kv.layers:
        groups, first = -(-part.count // group_size), layout.layer_blocks(part, 1) - 1
        most = layout.layer_blocks(part, LONGEST_TOKENS) - first if part.window_tokens else ENDLESS
        stairs.append(Stair(int(page_bytes // part.layer_bytes_per_token), groups * block_bytes, most))
        extra += groups * first
    return stairs, extra * block_bytes


def longest_contexts(stairs: Staircases, pool_bytes: Floats, maxima: Ints) -> Ints:
    """Row by row the longest single sequence that the pool holds, at most the model's maximum; by bisection."""
    reached = stairs.bytes(maxima) <= pool_bytes
    low, high = np.where(reached, maxima, 0), np.where(reached | (pool_bytes < stairs.fixed), 0, maxima - 1)
    while (open_rows := np.flatnonzero(low < high)).size:
        middle = (low[open_rows] + high[open_rows] + 1) // 2
        holds = stairs.rows(open_rows).bytes(middle) <= pool_bytes[open_rows]
        low[open_rows] = np.where(holds, middle, low[open_rows])
        high[open_rows] = np.where(holds, high[open_rows], middle - 1)
    return low
