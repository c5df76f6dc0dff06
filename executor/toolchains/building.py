"""Building a toolchain so that it is either whole or absent: built aside, verified, given a manifest, renamed."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.aside import PARTIAL, no_space_left, require_space, sync
from executor.locking import lock
from executor.processes import Processes
from executor.toolchains.catalog import Spec
from planner.errors import ExecutionFailed

MANIFEST = "manifest.json"

Progress = Callable[[str, float | None], None]


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a builder works with: where toolchains live, how to run tools, and whom to tell."""

    root: Path
    processes: Processes
    on_progress: Progress


Builder = Callable[[Path, Path], dict[str, Any]]
"""Fills an empty directory (first argument), logging to the second,
and returns what the manifest says; "programs" in it must go on existing."""


def ensure(workshop: Workshop, spec: Spec, build: Builder, depends: Sequence[str] = ()) -> Path:
    """The directory of the toolchain, built first if it is not there. A second builder waits for the first.

    `depends` is what the result depends on besides the pins and Python (the CPU it is compiled for, say).
    ExecutionFailed with the build log's tail and path when it cannot be built; nothing half-built is kept.
    """
    directory = workshop.root / f"{spec.name}-{_key(spec, depends)}"
    if is_whole(directory):
        return directory
    with lock(workshop.root / "locks" / f"{directory.name}.lock", waiting=_say_waiting(workshop, spec)):
        if not is_whole(directory):
            _build_aside(workshop, spec, build, directory)
    return directory


def is_whole(directory: Path) -> bool:
    """Whether a toolchain lies there with its manifest and the programs it lists.

    The directory gets its name only when it is finished; but a program in it may link to a Python that is gone since.
    """
    if not (directory / MANIFEST).is_file():
        return False
    return all((directory / program).exists() for program in manifest(directory).get("programs", ()))


def manifest(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
    return content


def _build_aside(workshop: Workshop, spec: Spec, build: Builder, directory: Path) -> None:
    log_path = workshop.root / "logs" / f"{directory.name}.log"
    _remove_left_overs(workshop.root, spec)
    require_space(workshop.root, spec.needs_bytes)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    log_path.unlink(missing_ok=True)
    aside = workshop.root / f"{directory.name}{PARTIAL}{os.getpid()}"
    aside.mkdir()
    started = time.monotonic()
    try:
        made = build(aside, log_path)
        _write_manifest(aside, spec, made, time.monotonic() - started)
        shutil.rmtree(directory, ignore_errors=True)
        aside.rename(directory)
        sync(workshop.root)
    except (OSError, ExecutionFailed) as error:
        raise _explained(error, workshop, spec) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _explained(error: OSError | ExecutionFailed, workshop: Workshop, spec: Spec) -> ExecutionFailed:
    full = "No space left on device"
    if full in str(error):
        return no_space_left(workshop.root, spec.needs_bytes)
    if isinstance(error, ExecutionFailed):
        return ExecutionFailed(error.what, where=f"building the toolchain {spec.name}", fix=error.fix)
    return ExecutionFailed(str(error), where=f"building the toolchain {spec.name}")


def _write_manifest(directory: Path, spec: Spec, made: dict[str, Any], seconds: float) -> None:
    content = {"name": spec.name, "spec": spec.model_dump(mode="json"), "build_seconds": round(seconds, 1), **made}
    path = directory / MANIFEST
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    sync(path)


def _say_waiting(workshop: Workshop, spec: Spec) -> Callable[[str], None]:
    return lambda holder: workshop.on_progress(f"Waiting: {spec.name} is being built by {holder}", None)


def _key(spec: Spec, depends: Sequence[str]) -> str:
    """Names everything the result depends on: pins, Python, platform and `depends`; not what explains them."""
    pins = spec.model_dump_json(exclude={"why", "source", "as_of", "needs_bytes", "own"})
    content = repr([pins, sys.version_info[:2], sys.platform, platform.machine(), *depends])
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _remove_left_overs(root: Path, spec: Spec) -> None:
    """Remove what builders that are gone left of this toolchain."""
    import psutil

    for left_over in root.glob(f"{spec.name}-*{PARTIAL}*"):
        builder = left_over.name.rpartition(PARTIAL)[2]
        if not psutil.pid_exists(int(builder)):
            shutil.rmtree(left_over, ignore_errors=True)
