"""The folder of published measurements that a benchmark is given, or the words that tell what to give."""

from __future__ import annotations

import sys
from pathlib import Path

EXPLAIN = """{problem}
The published measurements are not part of the repository. To fix: give the folder that holds {files}:
    {command} TRUTH=DIR        (or: python {script} --truth DIR)"""


def folder_with(files: tuple[str, ...], given: Path | None, *, command: str, script: str) -> Path:
    """The folder `given`; ends the program with exit code 1 where there is none or one of `files` is not in it."""
    if given is None:
        problem = "No folder of measurements was given."
    elif missing := [name for name in files if not (given / name).is_file()]:
        problem = f"{given} has no {' and no '.join(missing)}."
    else:
        return given
    named = ", ".join(files[:-1]) + " and " + files[-1] if len(files) > 1 else files[0]
    sys.exit(EXPLAIN.format(problem=problem, files=named, command=command, script=script))
