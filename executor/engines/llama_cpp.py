"""llama-server: its arguments, its addresses, and the lines of its log that report memory."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from executor.engines.engine import Buffer
from executor.toolchains import Toolchains
from planner.launching.serving import Serving, server_arguments
from planner.units import MIB

BUFFER = re.compile(r"(?P<place>\S+)\s+(?P<purpose>model|KV|RS|compute|output)\s+buffer size =\s+(?P<mib>[0-9.]+) MiB")
REPORTS_BUFFERS = "4"  # log verbosity from which buffer sizes are printed
LAID_OUT_ANEW = {"compute", "output"}
PORT_TAKEN = "couldn't bind HTTP server socket"
RPC = "--rpc"


class LlamaCppServer:
    """The server that comes with llama.cpp."""

    environment: dict[str, str] = {}
    metrics_path = None
    tells_prompt_logprobs = False

    def program(self, toolchains: Toolchains) -> list[str]:
        return [str(toolchains.llama_cpp().server)]

    def arguments(self, serving: Serving) -> list[str]:
        return [*server_arguments("llama.cpp", serving), "--log-verbosity", REPORTS_BUFFERS]

    def served_name(self, model: Path, name: str) -> str:
        return name

    def port_was_taken(self, log: str) -> bool:
        return PORT_TAKEN in log

    def buffers(self, log: str) -> list[Buffer]:
        """MiB are printed with two decimals, so each figure is exact to 0.005 MiB.

        Lines of one purpose and place add up (shards of a model; full and sliding-window caches), except scratch
        memory: it is laid out anew when the graph changes, and the last line holds.
        """
        sizes: dict[tuple[str, str], int] = {}
        for found in BUFFER.finditer(log):
            purpose, place = found["purpose"], found["place"]
            before = 0 if purpose in LAID_OUT_ANEW else sizes.get((purpose, place), 0)
            sizes[purpose, place] = before + round(float(found["mib"]) * MIB)
        return [Buffer(purpose, place, size) for (purpose, place), size in sizes.items()]

    def kv_tokens(self, log: str) -> int | None:
        """The cache is asked for in tokens, so its bytes are what there is to check."""
        return None

    def tokenize_request(self, model: str, text: str) -> tuple[str, dict[str, Any]]:
        return "/tokenize", {"content": text}

    def completion_options(self) -> dict[str, Any]:
        return {"ignore_eos": True, "cache_prompt": False}


class LlamaCppOverNodes(LlamaCppServer):
    """The same with the layers on other machines, whose CPUs it reaches by RPC: all of it is memory of hosts.

    It ends when a worker does, and then should not stop to print its stack.
    """

    environment: dict[str, str] = {"GGML_NO_BACKTRACE": "1"}

    def program(self, toolchains: Toolchains) -> list[str]:
        return [str(toolchains.llama_cpp_rpc().server)]

    def buffers(self, log: str) -> list[Buffer]:
        return [replace(b, place="CPU") if b.place.startswith("RPC") else b for b in super().buffers(log)]
