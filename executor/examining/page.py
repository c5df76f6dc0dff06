"""An evaluation as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from executor.report.templating import render
from planner.figures import figure


def render_evaluation(result: Mapping[str, Any]) -> str:
    """The page's HTML."""
    return render("evaluation.html.j2", {"result": result}, {"figure": figure})
