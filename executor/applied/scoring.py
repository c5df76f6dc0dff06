"""A checkpoint loaded as transformers loads it: what it then holds, and how it scores a text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from executor.quantizers.recipe import SCRIPTS, recipes
from executor.quantizers.scripting import Script, run_script
from executor.step import StepContext

SCORE = "score_text.py"
FINGERPRINT_WINDOWS = 2


def score(context: StepContext, model: Path, text: Path, context_tokens: int) -> dict[str, Any]:
    """{perplexity, standard_error, chunks, context_tokens, held, token_ids, logprobs, seconds, peak_bytes}.

    Windows of `context_tokens`, the second half of each scored, as llama-perplexity does. `held` counts the linear
    layers by class and dtype. `logprobs` are those of every token but the first of the first windows (`token_ids`):
    the checkpoint's fingerprint. ExecutionFailed with the tool's last words when transformers cannot load it.
    """
    python = context.toolchains.torch_quantize().python
    job: Mapping[str, Any] = {
        "model": str(model),
        "text": str(text),
        "context_tokens": context_tokens,
        "fingerprint_windows": FINGERPRINT_WINDOWS,
    }
    return run_script(
        Script(python, SCRIPTS / SCORE, recipes().tools["gptqmodel"].environment),
        job,
        workspace=context.workspace,
        log_path=context.log_path,
        processes=context.processes,
        report=context.report,
    )
