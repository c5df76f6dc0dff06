"""Serving engines by the name a plan gives them: one file and one line each."""

from __future__ import annotations

from executor.engines.engine import Engine
from executor.engines.llama_cpp import LlamaCppServer

ENGINES: dict[str, Engine] = {"llama.cpp": LlamaCppServer()}
