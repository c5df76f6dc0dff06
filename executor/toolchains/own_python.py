"""The user's own Python for a toolchain, named by an environment variable, when its packages are new enough.

On a machine with a GPU that is the way to quantize on it: the environments built here may hold a CPU build of torch.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from executor.toolchains.catalog import QuantizingSpec
from planner.errors import BadInput

LIST_VERSIONS = (
    "import importlib.metadata as m, json;"
    "print(json.dumps({d.metadata['Name'].lower(): d.version for d in m.distributions() if d.metadata['Name']}))"
)


@dataclass(frozen=True, slots=True)
class OwnPython:
    """A Python of the user's, and the versions of what is installed for it, by distribution name."""

    python: Path
    versions: dict[str, str]


def variable_of(spec: QuantizingSpec) -> str:
    """The variable that names the user's Python: QUANTPLAN_TORCH_QUANTIZE for the toolchain `torch-quantize`."""
    return f"QUANTPLAN_{spec.name.upper().replace('-', '_')}"


def own_python(spec: QuantizingSpec) -> OwnPython | None:
    """The user's own Python, or None when none is named. BadInput when one is named that lacks what is needed."""
    named = os.environ.get(variable_of(spec))
    if not named:
        return None
    versions = installed_for(Path(named))
    lacking = [said for package, least in spec.own.items() if (said := _lack(package, least, versions.get(package)))]
    if versions and not lacking:
        return OwnPython(Path(named), versions)
    wanted = ", ".join(f"{package} {least} or newer" for package, least in spec.own.items())
    raise BadInput(
        "; ".join(lacking) if versions else "no Python that starts",
        where=f"{variable_of(spec)}={named}",
        fix=f"install {wanted} for it, or unset {variable_of(spec)}: quantplan then makes its own",
    )


def installed_for(python: Path) -> dict[str, str]:
    """What is installed for a Python, by distribution name; empty when it does not start."""
    try:
        done = subprocess.run([python, "-c", LIST_VERSIONS], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    versions: dict[str, str] = json.loads(done.stdout)
    return versions


def _lack(package: str, least: str, found: str | None) -> str | None:
    if found is None:
        return f"it has no {package}"
    return None if _numbers(found) >= _numbers(least) else f"its {package} is {found}; needed: {least}"


def _numbers(version: str) -> tuple[int, ...]:
    """The release part of a version: 2.13.0+cu130 is (2, 13, 0)."""
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0]))
