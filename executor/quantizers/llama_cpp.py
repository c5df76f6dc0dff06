"""GGUF formats, made by llama-quantize from the 16-bit GGUF file."""

from __future__ import annotations

import re
from pathlib import Path

from executor.artifacts import ArtifactWriter
from executor.quantizers.importance import importance_matrix
from executor.step import Result, StepContext
from executor.steps.earlier import result_of_kind
from planner.errors import ExecutionFailed
from planner.launching.locating import gguf_name
from planner.schemes import load_schemes

TENSOR = re.compile(r"^\[\s*(\d+)/\s*(\d+)\]")


def quantize_gguf(context: StepContext, format: str) -> Result:
    """Write `model-TYPE.gguf`: {path, bytes, artifacts}. The stage's `ggml` names a file type other than the format's.

    Where the plan chose calibration text, an importance matrix is made of it first; types of 2 bits need one.
    What llama-quantize says of its work is not taken for proof: the next step reads the file.
    """
    type_name = str(context.stage.parameters.get("ggml") or own_type(format))
    source = Path((result_of_kind(context, "convert") or {})["path"])
    target = context.workspace / gguf_name(type_name)
    calibration = result_of_kind(context, "calibrate")
    weighed = importance_matrix(context, source, calibration) if calibration else None

    def on_line(line: str) -> None:
        if found := TENSOR.match(line):
            context.report("quantizing tensors", int(found[1]) / int(found[2]))

    with ArtifactWriter(target, needs_bytes=source.stat().st_size) as writer:
        tool: list[str | Path] = [context.toolchains.llama_cpp().quantize]
        by_importance: list[str | Path] = ["--imatrix", weighed.path] if weighed else []
        context.processes.run_tool(
            [*tool, *by_importance, source, writer.partial, type_name], context.log_path, on_line=on_line
        )
    made = writer.artifact
    records = [artifact.record() for artifact in (made, weighed) if artifact]
    return {"path": str(made.path), "bytes": made.bytes, "artifacts": records}


def own_type(format: str) -> str:
    """llama.cpp's name of a format. ExecutionFailed for what is no GGUF format."""
    known = {name: entry.ggml for name, entry in load_schemes().items() if entry.ggml}
    if format not in known:
        raise ExecutionFailed(f"llama-quantize makes no {format!r}", nearest=known, fix="plan with a GGUF format")
    return str(known[format])
