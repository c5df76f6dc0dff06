"""Quantizers by the name a plan gives them: one script, one line here and its recipes each."""

from __future__ import annotations

from collections.abc import Callable

from executor.quantizers.llama_cpp import quantize_gguf
from executor.quantizers.torch_checkpoint import quantize_torch
from executor.step import Result, StepContext

Quantizer = Callable[[StepContext, str], Result]

QUANTIZERS: dict[str, Quantizer] = {
    "llama.cpp": quantize_gguf,
    "bitsandbytes": quantize_torch,
    "llm-compressor": quantize_torch,
    "gptqmodel": quantize_torch,
    "autoawq": quantize_torch,
    "modelopt": quantize_torch,
}
