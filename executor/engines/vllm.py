"""`vllm serve`: on NVIDIA GPUs as vLLM's own wheel or the user's program, and on a CPU as the repackaged build."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from executor.engines.engine import Buffer
from executor.toolchains import Toolchains
from planner.errors import ExecutionFailed
from planner.launching.serving import Serving, server_arguments
from planner.units import GIB

WEIGHTS = re.compile(r"Model loading took (?P<gib>[0-9.]+) (?:GiB|GB)")
KV_MEMORY = re.compile(r"Available KV cache memory: (?P<gib>[0-9.]+) GiB")
GRAPHS = re.compile(r"Graph capturing finished in \d+ secs, took (?P<gib>[0-9.]+) GiB")
KV_TOKENS = re.compile(r"(?P<place>\w+) KV cache size: (?P<tokens>[0-9,]+) tokens")
PORT_TAKEN = "address already in use"
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}


class VllmServer:
    """vLLM on a GPU. The quantization method is left to the checkpoint: forcing it picks the slower kernel."""

    metrics_path = "/metrics"
    tells_prompt_logprobs = True
    environment: Mapping[str, str] = OFFLINE

    def program(self, toolchains: Toolchains) -> list[str]:
        """The `vllm` on PATH. ExecutionFailed when there is none: its CUDA builds depend on the driver of the host."""
        if (own := shutil.which("vllm")) is None:
            raise ExecutionFailed(
                "vLLM for this machine's GPUs is not installed (no program `vllm` on PATH)",
                fix="pip install vllm in an environment of its own and put its bin directory on PATH",
            )
        return [own, "serve"]

    def arguments(self, serving: Serving) -> list[str]:
        return server_arguments("vllm", serving)

    def served_name(self, model: Path, name: str) -> str:
        return name

    def port_was_taken(self, log: str) -> bool:
        return PORT_TAKEN in log.lower()

    def buffers(self, log: str) -> list[Buffer]:
        """GiB are printed with two decimals. A CPU build prints neither figure."""
        patterns = (("model", WEIGHTS), ("KV", KV_MEMORY), ("graphs", GRAPHS))
        found = [(purpose, pattern.search(log)) for purpose, pattern in patterns]
        return [Buffer(purpose, "GPU", round(float(line["gib"]) * GIB)) for purpose, line in found if line]

    def kv_tokens(self, log: str) -> int | None:
        found = KV_TOKENS.search(log)
        return int(found["tokens"].replace(",", "")) if found else None

    def tokenize_request(self, model: str, text: str) -> tuple[str, dict[str, Any]]:
        return "/tokenize", {"model": model, "prompt": text, "add_special_tokens": False}

    def completion_options(self) -> dict[str, Any]:
        """A salt of its own keeps each prompt from reusing blocks of another: a load test measures whole prompts."""
        return {"ignore_eos": True, "cache_salt": uuid4().hex}


class VllmCpuServer(VllmServer):
    """vLLM on an x86-64 CPU. KV bytes are always given, because its share of memory misreads the machine."""

    environment: Mapping[str, str] = {
        **OFFLINE,
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_TARGET_DEVICE": "cpu",
    }

    def program(self, toolchains: Toolchains) -> list[str]:
        return [str(toolchains.vllm_cpu().python), "-m", "vllm.entrypoints.cli.main", "serve"]
