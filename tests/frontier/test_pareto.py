"""The Pareto set against its definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.frontier.pareto import pareto

ROWS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=40)


@given(ROWS)
@settings(max_examples=300, deadline=None)
def test_the_set_is_what_nothing_else_beats(rows: list[tuple[int, int, int]]) -> None:
    costs, delays, losses = (np.array(column) for column in zip(*rows, strict=True))
    chosen = pareto(costs.astype(float), delays.astype(float), losses)
    for number, row in enumerate(rows):
        beaten = any(all(a <= b for a, b in zip(other, row, strict=True)) and other != row for other in rows)
        first = rows.index(row) == number
        assert chosen[number] == (not beaten and first), (rows, number)


def test_unknown_figures_are_never_in_the_set() -> None:
    costs, delays = np.array([1.0, np.nan, 2.0]), np.array([1.0, 0.1, np.nan])
    assert pareto(costs, delays, np.zeros(3, dtype=np.int64)).tolist() == [True, False, False]
