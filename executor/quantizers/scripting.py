"""Runs a script of ours with a toolchain's Python: a JSON job in, progress told as it goes, one result out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.processes import Processes
from planner.errors import ExecutionFailed

MARK = '{"quantplan": '
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(frozen=True, slots=True)
class Script:
    """A script, the Python that runs it, and what is added to its environment."""

    python: Path
    path: Path
    environment: Mapping[str, str]


def run_script(
    script: Script,
    job: Mapping[str, Any],
    *,
    workspace: Path,
    log_path: Path,
    processes: Processes,
    report: Callable[[str, float | None], None],
    timeout_s: float | None = None,
) -> dict[str, Any]:
    """The script's result, with `seconds` and `peak_bytes`. ExecutionFailed when it fails or ends without a result.

    It runs in the workspace, because some tools write logs of their own where they stand.
    """
    job_path = workspace.resolve() / f"{script.path.stem}.job.json"
    job_path.write_text(json.dumps({"threads": threads(), **job}, indent=1), encoding="utf-8")
    found: list[dict[str, Any]] = []

    def on_line(line: str) -> None:
        said = said_by(line)
        if said.get("quantplan") == "progress":
            report(said["message"], said["fraction"])
        elif said.get("quantplan") == "result":
            found.append(said)

    environment = {**OFFLINE, "HF_HOME": str(workspace / "huggingface"), **script.environment}
    try:
        command = [script.python, script.path, job_path]
        processes.run_tool(command, log_path, timeout_s, on_line, env=environment, cwd=workspace)
    finally:
        job_path.unlink(missing_ok=True)
    if not found:
        raise ExecutionFailed(f"{script.path.name} ended without a result", where=str(log_path))
    return {name: value for name, value in found[-1].items() if name != "quantplan"}


def said_by(line: str) -> dict[str, Any]:
    """What a line of ours says; empty for whatever else a tool prints."""
    if line.startswith(MARK):
        with suppress(ValueError):
            said: dict[str, Any] = json.loads(line)
            return said
    return {}


def threads() -> int:
    """The cores this process may use; a tool with more threads than that waits on itself."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
