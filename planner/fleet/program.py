"""A mixed-integer program as plain data, and HiGHS to solve it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from time import perf_counter
from typing import Any

from planner.errors import BadInput


@dataclass(slots=True)
class Program:
    """Minimise a cost over columns (each with bounds, whole or not) within rows (each with bounds on a sum)."""

    costs: list[float] = field(default_factory=list)
    bounds: list[tuple[float, float]] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    rows: list[tuple[float, float, dict[int, float]]] = field(default_factory=list)

    def column(self, cost: float, most: float = inf, *, whole: bool = True) -> int:
        """A new variable from 0 to `most`; its number."""
        self.costs.append(cost)
        self.bounds.append((0.0, most))
        self.whole.append(whole)
        return len(self.costs) - 1

    def at_least(self, terms: Mapping[int, float], least: float) -> None:
        self.rows.append((least, inf, dict(terms)))

    def at_most(self, terms: Mapping[int, float], most: float) -> None:
        self.rows.append((-inf, most, dict(terms)))


@dataclass(frozen=True, slots=True)
class Solution:
    """Values of all columns. `gap`: (cost - proven bound) / cost, 0 where the optimum is proven."""

    values: tuple[float, ...]
    cost: float
    gap: float
    seconds: float

    def count(self, column: int) -> int:
        return round(self.values[column])


class NothingFoundInTime(BadInput):
    """The solver neither found values that satisfy all rows nor proved that there are none."""

    def __init__(self, time_limit_s: float) -> None:
        fix = "give it longer: --time-limit-s 60"
        super().__init__(f"the solver found nothing within {time_limit_s:g} s", fix=fix)


def solve(
    program: Program, *, relative_gap: float, time_limit_s: float, start: Sequence[float] = ()
) -> Solution | None:
    """The cheapest values found within the gap or the time; None where nothing satisfies all rows.

    `start`: values to begin from, which satisfy all rows. BadInput where the solver is not installed.
    """
    highs = _solver(relative_gap, time_limit_s)
    import highspy

    if not program.costs:
        return Solution((), 0.0, 0.0, 0.0)
    started = perf_counter()
    highs.passModel(_model(program))
    if start:
        known = highspy.HighsSolution()
        known.col_value = list(start)
        highs.setSolution(known)
    highs.run()
    status = highs.getModelStatus()
    if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
        return None
    information = highs.getInfo()
    if information.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        raise NothingFoundInTime(time_limit_s)
    gap = float(information.mip_gap)
    return Solution(
        values=tuple(highs.getSolution().col_value),
        cost=float(information.objective_function_value),
        gap=gap if gap < inf else 1.0,
        seconds=perf_counter() - started,
    )


def _solver(relative_gap: float, time_limit_s: float) -> Any:
    try:
        from highspy import Highs
    except ImportError:
        raise BadInput(
            "a fleet is packed by the HiGHS solver, which is not installed", fix="pip install 'quantplan[fleet]'"
        ) from None
    make: Callable[[], Any] = Highs
    highs = make()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    highs.setOptionValue("mip_rel_gap", relative_gap)
    highs.setOptionValue("time_limit", time_limit_s)
    return highs


def _model(program: Program) -> Any:
    import highspy
    import numpy as np

    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(program.costs), len(program.rows)
    model.col_cost_ = np.array(program.costs)
    model.col_lower_ = np.array([low for low, _ in program.bounds])
    model.col_upper_ = np.array([high for _, high in program.bounds])
    model.row_lower_ = np.array([low for low, _, _ in program.rows])
    model.row_upper_ = np.array([high for _, high, _ in program.rows])
    kinds = highspy.HighsVarType
    model.integrality_ = [kinds.kInteger if whole else kinds.kContinuous for whole in program.whole]
    terms = [sorted(row.items()) for _, _, row in program.rows]
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.cumsum([0, *(len(row) for row in terms)])
    model.a_matrix_.index_ = np.array([column for row in terms for column, _ in row], dtype=np.int32)
    model.a_matrix_.value_ = np.array([value for row in terms for _, value in row], dtype=np.float64)
    return model
