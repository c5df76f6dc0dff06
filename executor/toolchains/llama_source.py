"""llama.cpp's source: fetched from PyPI by pip, its checksum checked, the useful part of its tree kept."""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

from executor.artifacts import sha256_of
from executor.toolchains.building import Builder, Workshop, ensure
from executor.toolchains.catalog import SourceSpec
from executor.toolchains.environments import make_environment, pip
from planner.errors import ExecutionFailed


def llama_source(workshop: Workshop, spec: SourceSpec) -> Path:
    """The directory of llama.cpp's tree (CMakeLists.txt, convert_hf_to_gguf.py, gguf-py)."""
    return ensure(workshop, spec, _builder(workshop, spec)) / "llama.cpp"


def _builder(workshop: Workshop, spec: SourceSpec) -> Builder:
    def build(directory: Path, log_path: Path) -> dict[str, Any]:
        archive = _download(workshop, spec, directory / "download", log_path)
        workshop.on_progress("Unpacking llama.cpp's source", None)
        unpack(archive, spec, directory / "llama.cpp")
        if not (directory / "llama.cpp" / spec.provides).is_file():
            raise ExecutionFailed(f"{archive.name} holds no {spec.provides}", fix="report this: the pin is wrong")
        _remove(directory / "download")
        return {
            "programs": [f"llama.cpp/{spec.provides}"],
            "archive": archive.name,
            "sha256": spec.sha256,
            "commit": spec.commit,
        }

    return build


def _download(workshop: Workshop, spec: SourceSpec, directory: Path, log_path: Path) -> Path:
    workshop.on_progress(f"Fetching llama.cpp's source ({spec.package} {spec.version}, about 75 MB)", None)
    python = make_environment(workshop, directory / "pip", log_path)
    pinned = f"{spec.package}=={spec.version}"
    arguments = ["download", "--no-deps", "--no-binary", spec.package, "--dest", str(directory), pinned]
    pip(workshop, python, arguments, log_path, "Fetching llama.cpp's source")
    archives = list(directory.glob("*.tar.gz"))
    if len(archives) != 1:
        raise ExecutionFailed(f"pip downloaded {len(archives)} source archives of {spec.package} instead of one")
    require_checksum(archives[0], spec.sha256)
    return archives[0]


def require_checksum(archive: Path, expected: str) -> None:
    """ExecutionFailed unless the archive is the very one the catalogue pins."""
    found = sha256_of(archive)
    if found != expected:
        raise ExecutionFailed(
            f"{archive.name} is not the pinned file: its SHA-256 is {found}, expected {expected}",
            fix="check where pip downloads from (pip config list); do not use this file",
        )


def unpack(archive: Path, spec: SourceSpec, directory: Path) -> None:
    """Extract the pinned subtree without what `leave_out` names."""
    with tarfile.open(archive) as tar:
        for member in tar:
            inside = _inside(member.name, spec)
            if inside is not None and (member.isfile() or member.isdir()):
                tar.extract(member.replace(name=inside, deep=False), directory, filter="data")


def _inside(name: str, spec: SourceSpec) -> str | None:
    """The path below the subtree, or None for what is not wanted. The archive's first folder is its own name."""
    path = PurePosixPath(*PurePosixPath(name).parts[1:])
    if not path.is_relative_to(spec.subtree):
        return None
    below = path.relative_to(spec.subtree)
    return None if any(below.is_relative_to(left) for left in spec.leave_out) else str(below)


def _remove(directory: Path) -> None:
    import shutil

    shutil.rmtree(directory)
