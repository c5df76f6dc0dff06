"""Step `keep-original`: a manifest of the full-precision files, so that the run can show it left them alone.

The full-precision original is always kept (A.final.backup).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from executor.artifacts import sha256_of, write_text
from executor.step import Result, StepContext
from executor.steps.earlier import result_of_kind

MANIFEST = "original.json"


def keep_original(context: StepContext) -> Result:
    """Hash every original file into `original.json`: {directory, sha256: {name: hex}, artifacts}."""
    fetched = result_of_kind(context, "fetch") or {}
    directory = Path(fetched["directory"])
    digests: dict[str, str] = {}
    for done, entry in enumerate(fetched["files"]):
        context.report("hashing the original", done / len(fetched["files"]))
        digests[entry["name"]] = sha256_of(directory / entry["name"])
    manifest = {"directory": str(directory), "sha256": digests}
    written = write_text(context.workspace / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    return {**manifest, "artifacts": [written.record()]}


def changed_originals(directory: Path, digests: Mapping[str, str]) -> list[str]:
    """The names of original files that are gone or no longer what they were."""
    return [
        name
        for name, digest in digests.items()
        if not (directory / name).is_file() or sha256_of(directory / name) != digest
    ]
