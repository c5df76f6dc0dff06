"""Kullback-Leibler divergence of a GGUF file from its 16-bit original, as llama-perplexity measures it.

The original's logits over the text are kept in a file, and the quantized model is held against them token by token:
the whole distribution counts, not only the token that came.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from executor.processes import Processes
from executor.toolchains import LlamaCpp
from planner.errors import ExecutionFailed

NUMBER = r"\s*:?\s*(-?[0-9.]+(?:e-?\d+)?)"
MEAN_KLD = re.compile(rf"Mean\s+KLD{NUMBER} ±{NUMBER}")
P99_KLD = re.compile(rf"99\.0%\s+KLD{NUMBER}")
LARGEST_KLD = re.compile(rf"Maximum KLD{NUMBER}")
SAME_TOP = re.compile(rf"Same top p{NUMBER} ±{NUMBER}")
PERPLEXITY_RATIO = re.compile(rf"Mean PPL\(Q\)/PPL\(base\){NUMBER}")


@dataclass(frozen=True, slots=True)
class Divergence:
    """Nats a token; `same_top_percent`: how often both hold the same token for the likeliest."""

    mean: float
    standard_error: float
    p99: float | None
    largest: float | None
    same_top_percent: float | None
    perplexity_ratio: float | None


@dataclass(frozen=True, slots=True)
class Divergences:
    """Measures GGUF files against one original on one text."""

    tools: LlamaCpp
    processes: Processes
    text: Path
    folder: Path
    context_tokens: int

    def measure(self, original: Path, quantized: Path) -> Divergence:
        """ExecutionFailed with the tool's last lines when it cannot; the file of logits is removed again."""
        logits = self.folder / "original-logits.partial"
        try:
            self._run(original, "--kl-divergence-base", logits)
            return parse_divergence(self._run(quantized, "--kl-divergence-base", logits, "--kl-divergence"))
        finally:
            logits.unlink(missing_ok=True)

    def _run(self, model: Path, *arguments: str | Path) -> str:
        tool: list[str | Path] = [self.tools.perplexity, "-m", model, "-f", self.text]
        window = ["-c", str(self.context_tokens)]
        return self.processes.run_tool([*tool, *window, *arguments], self.folder / "logs" / "divergence.log")


def parse_divergence(output: str) -> Divergence:
    """The figures in llama-perplexity's output. ExecutionFailed when the mean is not there or is no number."""
    if not (mean := MEAN_KLD.search(output)):
        raise ExecutionFailed("llama-perplexity printed no divergence", fix="evaluate again; read its log")
    found = {
        name: float(match[1]) if (match := pattern.search(output)) else None
        for name, pattern in (
            ("p99", P99_KLD),
            ("largest", LARGEST_KLD),
            ("same_top_percent", SAME_TOP),
            ("perplexity_ratio", PERPLEXITY_RATIO),
        )
    }
    return Divergence(float(mean[1]), float(mean[2]), **found)
