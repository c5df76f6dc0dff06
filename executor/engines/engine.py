"""What the steps need to know of a serving engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from executor.toolchains import Toolchains

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory an engine reports: for what (`model`, `KV`, `compute` ...), where (`CPU`, `CPU_REPACK` ...), how much."""

    purpose: str
    place: str
    bytes: int


class Engine(Protocol):
    """One engine's command line, addresses and log, as plain values."""

    def command(self, toolchains: Toolchains, model: Path, port: int, arguments: Sequence[str]) -> list[str]:
        """The arguments to start the server with on 127.0.0.1."""

    def port_was_taken(self, log: str) -> bool:
        """Its log says that it ended because the port was in use."""

    def buffers(self, log: str) -> list[Buffer]:
        """The memory its log reports."""

    def tokenize_request(self, text: str) -> tuple[str, dict[str, Any]]:
        """Path and body of the request that returns {"tokens": [id, ...]}."""

    def completion_options(self) -> dict[str, Any]:
        """What to add to an OpenAI completion so that it generates to its full length and reuses no cached prompt."""
