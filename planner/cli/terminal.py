"""The one console: colours only on a terminal, and a sane width where there is none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 110


def console(*, stderr: bool = False) -> Console:
    """A rich console on stdout (or stderr); plain text, and not wrapped at 80, when it is not a terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else PIPE_WIDTH)
