"""What a server is started with, and how each engine spells it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Serving:
    """The model's file, directory or hub id, the name clients give it, the plan's arguments, and the address."""

    model: Path | str
    name: str
    arguments: tuple[str, ...]
    port: int
    host: str = "127.0.0.1"

    @property
    def address(self) -> list[str]:
        return ["--host", self.host, "--port", str(self.port)]


def server_arguments(engine: str, serving: Serving) -> list[str]:
    """All arguments of the engine's server. A name may look like an option, so it is never an argument by itself."""
    return SPELLINGS[engine](serving)


def _vllm(serving: Serving) -> list[str]:
    return [str(serving.model), *serving.arguments, f"--served-model-name={serving.name}", *serving.address]


def _sglang(serving: Serving) -> list[str]:
    named = [f"--model-path={serving.model}", f"--served-model-name={serving.name}"]
    return [*named, "--enable-metrics", *serving.arguments, *serving.address]


def _tensorrt_llm(serving: Serving) -> list[str]:
    """It serves a model under its directory's name; there is no option for another."""
    return [str(serving.model), *serving.arguments, *serving.address]


def _transformers(serving: Serving) -> list[str]:
    return [str(serving.model), *serving.arguments, *serving.address]


def _llama_cpp(serving: Serving) -> list[str]:
    return [*serving.arguments, "--model", str(serving.model), *serving.address]


SPELLINGS: dict[str, Callable[[Serving], list[str]]] = {
    "vllm": _vllm,
    "sglang": _sglang,
    "tensorrt-llm": _tensorrt_llm,
    "transformers": _transformers,
    "llama.cpp": _llama_cpp,
}
