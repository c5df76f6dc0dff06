"""The answer where there is no plan, with what the rules had said until then."""

from __future__ import annotations

from planner.errors import QuantplanError
from planner.plan import Decision


class NoFeasiblePlan(QuantplanError):
    """The question is sound, and no plan answers it on this hardware. `decisions`: what the rules had said."""

    exit_code = 3

    def __init__(self, what: str, *, fix: str = "", decisions: tuple[Decision, ...] = ()) -> None:
        super().__init__(what, fix=fix)
        self.decisions = decisions
