"""`transformers serve`: how bitsandbytes checkpoints are served, in the environment that made them.

It is fit to answer and to be put under load, with limits: it takes prompts as text only (so their length in tokens is
met on average, not exactly), streams text rather than tokens, knows no log-probabilities and no /metrics, and runs one
request at a time. Its continuous batching is left off: it pages a cache that no plan of ours accounts for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from executor.engines.openai import OpenAiServer
from executor.toolchains import Toolchains
from planner.launching.serving import Serving, server_arguments


class TransformersServer(OpenAiServer):
    """transformers' own OpenAI-compatible server, with the model loaded before it answers its health check."""

    metrics_path = None
    environment: Mapping[str, str] = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}

    def program(self, toolchains: Toolchains) -> list[str]:
        return [str(toolchains.transformers_serve().python), "-m", "transformers.cli.transformers", "serve"]

    def arguments(self, serving: Serving) -> list[str]:
        return server_arguments("transformers", serving)

    def served_name(self, model: Path, name: str) -> str:
        """It is pinned to what it was started with, and refuses any other name."""
        return str(model)

    def port_was_taken(self, log: str) -> bool:
        return "address already in use" in log.lower()

    def completion_options(self) -> dict[str, Any]:
        """Its end-of-text tokens are taken away, so that it generates to the full length; usage comes unasked."""
        return {"generation_config": '{"eos_token_id": null}', "stream_options": None}
