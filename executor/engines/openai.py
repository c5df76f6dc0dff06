"""Any server with OpenAI's API, of which nothing else is known: what `quantplan bench URL` speaks to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from executor.engines.engine import Buffer
from executor.toolchains import Toolchains
from planner.errors import ExecutionFailed
from planner.launching.serving import Serving


class OpenAiServer:
    """Prompts go as text, and answers may end early: neither token ids nor `ignore_eos` are part of the API."""

    environment: Mapping[str, str] = {}
    metrics_path: str | None = "/metrics"
    tells_prompt_logprobs = False

    def program(self, toolchains: Toolchains) -> list[str]:
        raise ExecutionFailed("a server known by its address alone cannot be started", fix="start it yourself")

    def arguments(self, serving: Serving) -> list[str]:
        return []

    def served_name(self, model: Path, name: str) -> str:
        return name

    def port_was_taken(self, log: str) -> bool:
        return False

    def buffers(self, log: str) -> list[Buffer]:
        return []

    def kv_tokens(self, log: str) -> int | None:
        return None

    def tokenize_request(self, model: str, text: str) -> None:
        """The API has no address that tokenizes."""

    def completion_options(self) -> dict[str, Any]:
        return {}
