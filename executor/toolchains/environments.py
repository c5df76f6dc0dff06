"""Virtual environments with pinned packages, made by `python -m venv` and their own pip, as the user configured pip."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from executor.toolchains.building import Workshop
from planner.errors import ExecutionFailed

PIP_SAYS = re.compile(r"^\s*(Collecting|Downloading|Building|Installing)\b.*")


def make_environment(workshop: Workshop, directory: Path, log_path: Path) -> Path:
    """An empty environment; returns its Python. The directory may be renamed later: only its Python is ever called."""
    if importlib.util.find_spec("ensurepip") is None:
        raise ExecutionFailed(
            "this Python cannot make virtual environments (it lacks ensurepip)",
            fix=f"install it: apt-get install python{sys.version_info.major}.{sys.version_info.minor}-venv",
        )
    workshop.processes.run_tool([sys.executable, "-m", "venv", directory], log_path)
    return directory / "bin" / "python"


def pip(workshop: Workshop, python: Path, arguments: Sequence[str | Path], log_path: Path, saying: str) -> None:
    """Run the environment's pip; `saying` heads the progress messages."""
    command = [python, "-m", "pip", *arguments, "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    workshop.processes.run_tool(command, log_path, on_line=_told(workshop, saying))


def installed_versions(workshop: Workshop, python: Path, log_path: Path) -> dict[str, str]:
    """What is installed in the environment, by distribution name."""
    code = (
        "import importlib.metadata as m, json;"
        "print(json.dumps({d.metadata['Name'].lower(): d.version for d in m.distributions()}))"
    )
    import json

    listing = workshop.processes.run_tool([python, "-c", code], log_path)
    versions: dict[str, str] = json.loads(listing.splitlines()[-1])
    return versions


def _told(workshop: Workshop, saying: str) -> Callable[[str], None]:
    def tell(line: str) -> None:
        if PIP_SAYS.match(line):
            workshop.on_progress(f"{saying}: {_shortened(line.strip())}", None)

    return tell


def _shortened(line: str, limit: int = 90) -> str:
    line = re.sub(r"\s*\(from .*$", "", re.sub(r"https?://\S+/", "", line))
    return line if len(line) <= limit else line[: limit - 1] + "…"
