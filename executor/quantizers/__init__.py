"""Quantizers by the name a plan gives them: one file and one line each."""

from __future__ import annotations

from collections.abc import Callable

from executor.quantizers.llama_cpp import quantize_gguf
from executor.step import Result, StepContext

Quantizer = Callable[[StepContext, str], Result]

QUANTIZERS: dict[str, Quantizer] = {"llama.cpp": quantize_gguf}
