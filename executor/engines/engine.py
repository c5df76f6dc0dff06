"""What the steps need to know of a serving engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from executor.toolchains import Toolchains
from planner.launching.serving import Serving

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory an engine reports: for what (`model`, `KV`, `compute` ...), where (`CPU`, `CPU_REPACK` ...), how much."""

    purpose: str
    place: str
    bytes: int


class Engine(Protocol):
    """One engine's command line, addresses and log, as plain values. A command is a list, never a shell string."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What to add to the server's environment."""

    @property
    def metrics_path(self) -> str | None:
        """Where it publishes Prometheus metrics."""

    @property
    def tells_prompt_logprobs(self) -> bool:
        """/v1/completions tells those of a prompt's tokens (`prompt_logprobs`, and `echo` with them)."""

    def program(self, toolchains: Toolchains) -> list[str]:
        """The program on this machine, found or built, with its subcommand."""

    def arguments(self, serving: Serving) -> list[str]:
        """Everything that follows the program."""

    def served_name(self, model: Path, name: str) -> str:
        """What clients must call the model: its name, unless the server knows it by something else."""

    def port_was_taken(self, log: str) -> bool:
        """Its log says that it ended because the port was in use."""

    def buffers(self, log: str) -> list[Buffer]:
        """The memory its log reports."""

    def kv_tokens(self, log: str) -> int | None:
        """The tokens its log says the KV cache holds; None where it does not say."""

    def tokenize_request(self, model: str, text: str) -> tuple[str, dict[str, Any]] | None:
        """Path and body of the request that returns {"tokens": [id, ...]}; None: it takes prompts as text alone."""

    def completion_options(self) -> dict[str, Any]:
        """What to add to an OpenAI completion so that it generates to its full length and reuses no cached prompt."""
