"""Step `convert`: the original checkpoint as one 16-bit GGUF file."""

from __future__ import annotations

import re
from pathlib import Path

from executor.artifacts import ArtifactWriter
from executor.step import Result, StepContext
from executor.steps.earlier import parameter, result_of_kind
from planner.errors import BadInput, ExecutionFailed
from planner.launching.locating import CONVERTED

OUTPUT_TYPES = {"gguf-bf16": "bf16"}
BYTES_PER_PARAMETER = 2  # bf16
PERCENT = re.compile(r"Writing:\s+(\d+)%")
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
CODE = {".py", ".so", ".sh"}


def convert(context: StepContext) -> Result:
    """Run llama.cpp's own converter, without remote code: {path, bytes, artifacts}.

    ExecutionFailed with the converter's last words when it does not know the architecture or the tokenizer.
    """
    target = parameter(context, "to")
    if target not in OUTPUT_TYPES:
        raise ExecutionFailed(f"cannot convert to {target!r}", nearest=OUTPUT_TYPES, fix="plan again")
    fetched = result_of_kind(context, "fetch") or {}
    if "path" in fetched:
        raise BadInput("it is a GGUF file already", where=fetched["path"], fix="plan from the original checkpoint")
    context.report("converting to 16-bit GGUF", None)
    names = [entry["name"] for entry in fetched["files"]]
    view = view_without_code(Path(fetched["directory"]), names, context.workspace / "original")
    needed_bytes = BYTES_PER_PARAMETER * context.plan.model.parameters
    with ArtifactWriter(context.workspace / CONVERTED, needs_bytes=needed_bytes) as writer:
        _run_converter(context, view, writer.partial, OUTPUT_TYPES[target])
    made = writer.artifact
    return {"path": str(made.path), "bytes": made.bytes, "artifacts": [made.record()]}


def _run_converter(context: StepContext, model: Path, target: Path, output_type: str) -> None:
    script, python = context.toolchains.llama_cpp().convert_script, context.toolchains.gguf_convert().python

    def on_line(line: str) -> None:
        if found := PERCENT.search(line):
            context.report("writing 16-bit GGUF", int(found[1]) / 100)

    context.processes.run_tool(
        [
            *(python, script, model, "--outfile", target),
            *("--outtype", output_type, f"--model-name={context.plan.model.name}"),
        ],
        context.log_path,
        on_line=on_line,
        env={**OFFLINE, "HF_HOME": str(context.workspace / "huggingface")},
    )


def view_without_code(directory: Path, names: list[str], view: Path) -> Path:
    """A directory of links to the model's data files alone.

    Some of the converter's model classes trust remote code; with no code in sight and no hub, there is none to run.
    """
    view.mkdir(exist_ok=True)
    for name in names:
        link = view / name
        if link.suffix not in CODE and not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((directory / name).resolve())
    return view
