"""GGUF formats, made by llama-quantize from the 16-bit GGUF file."""

from __future__ import annotations

import re
from pathlib import Path

from executor.artifacts import ArtifactWriter
from executor.step import Result, StepContext
from executor.steps.earlier import result_of_kind
from planner.errors import ExecutionFailed

TYPE_NAMES = {
    "gguf-bf16": "BF16",
    "gguf-q8_0": "Q8_0",
    "gguf-q6_k": "Q6_K",
    "gguf-q5_k_m": "Q5_K_M",
    "gguf-q4_k_m": "Q4_K_M",
    "gguf-q3_k_m": "Q3_K_M",
    "gguf-q2_k": "Q2_K",
}
TENSOR = re.compile(r"^\[\s*(\d+)/\s*(\d+)\]")


def quantize_gguf(context: StepContext, format: str) -> Result:
    """Write `model-FORMAT.gguf`: {path, bytes, artifacts}.

    What llama-quantize says of its work is not taken for proof: the next step reads the file.
    """
    if format not in TYPE_NAMES:
        raise ExecutionFailed(f"llama-quantize makes no {format!r}", nearest=TYPE_NAMES, fix="plan with a GGUF format")
    source = Path((result_of_kind(context, "convert") or {})["path"])
    target = context.workspace / f"model-{format.removeprefix('gguf-')}.gguf"

    def on_line(line: str) -> None:
        if found := TENSOR.match(line):
            context.report("quantizing tensors", int(found[1]) / int(found[2]))

    with ArtifactWriter(target, needs_bytes=source.stat().st_size) as writer:
        tool = context.toolchains.llama_cpp().quantize
        arguments: list[str | Path] = [tool, source, writer.partial, TYPE_NAMES[format]]
        context.processes.run_tool(arguments, context.log_path, on_line=on_line)
    made = writer.artifact
    return {"path": str(made.path), "bytes": made.bytes, "artifacts": [made.record()]}
