"""Which candidates nothing else beats: cheaper, faster and of no less quality at once."""

from __future__ import annotations

import numpy as np

from planner.fits.arrays import Flags, Floats, Ints


def pareto(costs: Floats, delays: Floats, losses: Ints) -> Flags:
    """The candidates that no other is at least as good as in all three and better in one; of equals the first.

    All three are better when smaller. NaN is never in the set. Classes of `losses` are few; within each the set is a
    staircase, found by one sort.
    """
    chosen = np.zeros(len(costs), dtype=bool)
    usable = np.flatnonzero(~(np.isnan(costs) | np.isnan(delays)))
    better = np.empty(0, dtype=np.int64)
    for loss in np.unique(losses[usable]):
        these = np.concatenate([better, usable[losses[usable] == loss]])
        stairs = these[_staircase(costs[these], delays[these])]
        chosen[stairs[losses[stairs] == loss]] = True
        better = stairs
    return chosen


def _staircase(costs: Floats, delays: Floats) -> Ints:
    """Positions of the two-dimensional set, cheapest first; those before come first among equals."""
    order = np.lexsort((np.arange(len(costs)), delays, costs))
    sorted_delays = delays[order]
    least_before = np.concatenate([[np.inf], np.minimum.accumulate(sorted_delays)[:-1]])
    stairs: Ints = order[sorted_delays < least_before]
    return stairs
