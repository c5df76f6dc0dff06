"""One template as a self-contained HTML page; whatever a model or a log said is escaped like any other text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from planner.templates import template_directory


def render(
    template: str,
    values: Mapping[str, Any],
    filters: Mapping[str, Callable[..., Any]],
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> str:
    """The page's HTML; a name that a template misspells is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template_directory()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= dict(filters)
    environment.globals |= dict(functions or {})
    return environment.get_template(template).render(**values)
