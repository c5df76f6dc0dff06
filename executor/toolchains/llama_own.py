"""The user's own llama.cpp: programs on PATH, or in the directory QUANTPLAN_LLAMA_CPP names, when new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from executor.toolchains.catalog import LlamaCppSpec
from planner.errors import BadInput

VARIABLE = "QUANTPLAN_LLAMA_CPP"
RELEASE = re.compile(r"version: (\d+)\.(\d+)\.(\d+)")
BUILD = re.compile(r"version: (\d+) \(")


@dataclass(frozen=True, slots=True)
class OwnPrograms:
    """The user's own programs: where each lies, and the version llama-server says."""

    paths: dict[str, Path]
    version: str


def own_programs(spec: LlamaCppSpec) -> OwnPrograms | None:
    """The user's own programs, or None when there are none that will do.

    BadInput when QUANTPLAN_LLAMA_CPP names a directory whose programs are missing or too old; programs on PATH are
    passed over in that case, because nobody asked for them.
    """
    named = os.environ.get(VARIABLE)
    search = os.pathsep.join([named, str(Path(named) / "bin"), str(Path(named) / "build" / "bin")]) if named else None
    found = {program: shutil.which(program, path=search) for program in spec.programs}
    paths = {program: Path(path) for program, path in found.items() if path}
    missing = [program for program in spec.programs if program not in paths]
    said = "" if missing else says_version(paths[spec.programs[0]])
    if not missing and new_enough(said, spec):
        return OwnPrograms(paths, said)
    if named:
        raise _unsuitable(named, missing, said, spec)
    return None


def says_version(server: Path) -> str:
    """The line in which llama-server states its version; empty when it does not start."""
    try:
        done = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next((line for line in (done.stderr + done.stdout).splitlines() if line.startswith("version:")), "")


def new_enough(said: str, spec: LlamaCppSpec) -> bool:
    """Whether a version line ("version: 0.3.0-dev (build 10621, ...)" or "version: 6123 (abc)") will do."""
    if release := RELEASE.search(said):
        return tuple(int(part) for part in release.groups()) >= spec.own.minimum_version
    build = BUILD.search(said)
    return build is not None and int(build[1]) >= spec.own.minimum_build


def _unsuitable(named: str, missing: list[str], said: str, spec: LlamaCppSpec) -> BadInput:
    release = ".".join(str(part) for part in spec.own.minimum_version)
    wanted = f"{release} (or build {spec.own.minimum_build}) or newer"
    what = f"no {', '.join(missing)} there" if missing else f"llama-server says {said or 'nothing'!r}; needed: {wanted}"
    return BadInput(what, where=f"{VARIABLE}={named}", fix=f"build llama.cpp {wanted}, or unset {VARIABLE}")
