"""The one pipeline from a request to a plan; `make_plan` is its door."""

from planner.planning.pipeline import make_plan

__all__ = ["make_plan"]
