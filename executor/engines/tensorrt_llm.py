"""TensorRT-LLM's `trtllm-serve` (PyTorch backend): carried out where it is installed beside a GPU, else rendered."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from executor.engines.engine import Buffer
from executor.toolchains import Toolchains
from planner.errors import ExecutionFailed
from planner.launching.serving import Serving, server_arguments
from planner.units import GIB

KV_MEMORY = re.compile(r"Allocated (?P<gib>[0-9.]+) GiB for max tokens in paged KV cache \((?P<tokens>\d+)\)")


class TensorRtLlmServer:
    """No engine is built beforehand: since 1.0 it loads Hugging Face and ModelOpt checkpoints as they are."""

    metrics_path = "/metrics"
    tells_prompt_logprobs = False
    environment: Mapping[str, str] = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}

    def program(self, toolchains: Toolchains) -> list[str]:
        """The `trtllm-serve` on PATH. ExecutionFailed when there is none."""
        if (own := shutil.which("trtllm-serve")) is None:
            raise ExecutionFailed(
                "TensorRT-LLM is not installed (no program `trtllm-serve` on PATH)",
                fix="work in NVIDIA's container nvcr.io/nvidia/tensorrt-llm/release, or plan with --engine vllm",
            )
        return [own, "serve"]

    def arguments(self, serving: Serving) -> list[str]:
        return server_arguments("tensorrt-llm", serving)

    def served_name(self, model: Path, name: str) -> str:
        return name

    def port_was_taken(self, log: str) -> bool:
        return "address already in use" in log.lower()

    def buffers(self, log: str) -> list[Buffer]:
        """The cache is laid out twice, first to see what a step needs; the last line holds."""
        lines = list(KV_MEMORY.finditer(log))
        return [Buffer("KV", "GPU", round(float(lines[-1]["gib"]) * GIB))] if lines else []

    def kv_tokens(self, log: str) -> int | None:
        lines = list(KV_MEMORY.finditer(log))
        return int(lines[-1]["tokens"]) if lines else None

    def tokenize_request(self, model: str, text: str) -> None:
        """It has no address that tokenizes; prompts go as text."""

    def completion_options(self) -> dict[str, Any]:
        return {"ignore_eos": True}
