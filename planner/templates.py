"""Where the Jinja2 templates lie: beside the packages in a checkout, inside this one in a wheel."""

from __future__ import annotations

from pathlib import Path

from planner.errors import QuantplanError


def template_directory() -> Path:
    """The directory of the templates. QuantplanError when the installation lacks it."""
    here = Path(__file__).parent
    for directory in (here / "templates", here.parent / "templates"):
        if directory.is_dir():
            return directory
    raise QuantplanError("the installation has no templates", where=str(here), fix="install quantplan again")
