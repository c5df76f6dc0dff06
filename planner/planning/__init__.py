"""The one pipeline from a request to a plan; `make_plan` is its door, imported when it is asked for."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.planning.pipeline import make_plan

__all__ = ["make_plan"]


def __getattr__(name: str) -> Any:
    if name != "make_plan":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from planner.planning.pipeline import make_plan

    return make_plan
