"""llama.cpp's importance matrix: which weights of the original matter most when it reads the calibration text."""

from __future__ import annotations

from pathlib import Path

from executor.artifacts import Artifact, ArtifactWriter
from executor.evaluate.perplexity import windows_told
from executor.quantizers.recipe import SCRIPTS
from executor.quantizers.scripting import Script, run_script
from executor.step import Result, StepContext

SCRIPT = "write_calibration_text.py"


def importance_matrix(context: StepContext, original: Path, calibration: Result) -> Artifact:
    """Write `importance.gguf` with llama-imatrix from the samples that an earlier step chose.

    Windows are as long as the longest sample. ExecutionFailed with its last words when the text is too short for one.
    """
    text = calibration_text(context, calibration)
    on_line = windows_told(context.report, "finding the weights that matter")
    with ArtifactWriter(context.workspace / "importance.gguf") as writer:
        tool: list[str | Path] = [context.toolchains.llama_cpp().imatrix, "-m", original, "-f", text]
        window = ["-c", str(calibration["max_tokens"]), "--parse-special"]
        context.processes.run_tool([*tool, "-o", writer.partial, *window], context.log_path, on_line=on_line)
    return writer.artifact


def calibration_text(context: StepContext, calibration: Result) -> Path:
    """The samples as one text, conversations under the model's own chat template."""
    target = context.workspace / "calibration.txt"
    fetched = next(result for result in context.results.values() if "directory" in result)
    job = {"model": fetched["directory"], "samples": calibration["path"], "out": str(target)}
    run_script(
        Script(context.toolchains.gguf_convert().python, SCRIPTS / SCRIPT, {}),
        job,
        workspace=context.workspace,
        log_path=context.log_path,
        processes=context.processes,
        report=context.report,
    )
    return target
