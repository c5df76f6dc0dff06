"""SGLang's server: carried out where `sglang` is installed beside a GPU; elsewhere its command is only rendered."""

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

WEIGHTS = re.compile(r"Load weight end\..*?mem usage=(?P<gib>[0-9.]+) GB")
KV_HALVES = re.compile(r"KV Cache is allocated\..*?K size: (?P<k>[0-9.]+) GB, V size: (?P<v>[0-9.]+) GB")
KV_TOKENS = re.compile(r"max_total_num_tokens=(?P<tokens>\d+)")


class SglangServer:
    """`python -m sglang.launch_server`; the quantization method is read from the checkpoint."""

    metrics_path = "/metrics"
    tells_prompt_logprobs = False
    environment: Mapping[str, str] = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}

    def program(self, toolchains: Toolchains) -> list[str]:
        """The `sglang` on PATH. ExecutionFailed when there is none."""
        if (own := shutil.which("sglang")) is None:
            raise ExecutionFailed(
                "SGLang is not installed (no program `sglang` on PATH)",
                fix="pip install sglang in an environment of its own and put its bin directory on PATH",
            )
        return [own, "serve"]

    def arguments(self, serving: Serving) -> list[str]:
        return server_arguments("sglang", serving)

    def served_name(self, model: Path, name: str) -> str:
        return name

    def port_was_taken(self, log: str) -> bool:
        return "address already in use" in log.lower()

    def buffers(self, log: str) -> list[Buffer]:
        """SGLang prints "GB" for what it divides by 2**30."""
        found = []
        if weights := WEIGHTS.search(log):
            found.append(Buffer("model", "GPU", round(float(weights["gib"]) * GIB)))
        if cache := KV_HALVES.search(log):
            found.append(Buffer("KV", "GPU", round((float(cache["k"]) + float(cache["v"])) * GIB)))
        return found

    def kv_tokens(self, log: str) -> int | None:
        found = KV_TOKENS.search(log)
        return int(found["tokens"]) if found else None

    def tokenize_request(self, model: str, text: str) -> tuple[str, dict[str, Any]]:
        return "/tokenize", {"model": model, "prompt": text, "add_special_tokens": False}

    def completion_options(self) -> dict[str, Any]:
        return {"ignore_eos": True}
