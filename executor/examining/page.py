"""An evaluation as one self-contained HTML page; what the models said is escaped like any other text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.figures import figure
from planner.templates import template_directory


def render_evaluation(result: Mapping[str, Any]) -> str:
    """The page's HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template_directory()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = figure
    return environment.get_template("evaluation.html.j2").render(result=result)
