"""The tools as steps ask for them: each is found or built on first use, and says where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.processes import Processes
from executor.toolchains.building import Builder, Progress, Workshop, ensure, manifest
from executor.toolchains.catalog import EnvironmentSpec, QuantizingSpec, catalog
from executor.toolchains.environments import installed_versions, make_environment, pip
from executor.toolchains.llama_build import built_programs
from executor.toolchains.llama_own import own_programs
from executor.toolchains.llama_source import llama_source
from executor.toolchains.own_python import own_python
from executor.toolchains.vllm_cpu import repackaged_builder

ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class LlamaCpp:
    """llama.cpp's programs and its converter. `version` is what llama-server says; `origin`: "built" or "own"."""

    server: Path
    quantize: Path
    imatrix: Path
    perplexity: Path
    bench: Path
    convert_script: Path
    version: str
    origin: str


@dataclass(frozen=True, slots=True)
class LlamaCppRpc:
    """llama.cpp's server with its RPC backend, and the worker that holds layers for it on another machine."""

    server: Path
    worker: Path


@dataclass(frozen=True, slots=True)
class Python:
    """A Python with the packages of one toolchain; `versions` of everything installed, by distribution name."""

    python: Path
    versions: dict[str, str]


class Toolchains:
    """Finds or builds tools below `root` (default: `toolchains` in quantplan's cache); tells progress as it goes."""

    def __init__(
        self,
        root: Path | None = None,
        on_progress: Progress = lambda message, fraction: None,
        processes: Processes | None = None,
    ) -> None:
        self._root = root or _default_root()
        self._on_progress = on_progress
        self._processes = processes

    def llama_cpp(self) -> LlamaCpp:
        """llama.cpp: the user's own when new enough, else compiled once (minutes) from the pinned source."""
        spec, source = catalog().llama_cpp, catalog().source
        workshop = self._workshop()
        script = llama_source(workshop, source) / source.provides
        if own := own_programs(spec):
            return _llama_cpp(list(own.paths.values()), script, own.version, "own")
        directory = built_programs(workshop, spec, source)
        programs = [directory / program for program in spec.programs]
        return _llama_cpp(programs, script, manifest(directory)["version"], "built")

    def llama_cpp_rpc(self) -> LlamaCppRpc:
        """llama.cpp with its RPC backend: the user's own, else compiled once (minutes) from the pinned source."""
        spec = catalog().llama_cpp_rpc
        if own := own_programs(spec):
            return LlamaCppRpc(*(own.paths[program] for program in spec.programs))
        directory = built_programs(self._workshop(), spec, catalog().source)
        return LlamaCppRpc(*(directory / program for program in spec.programs))

    def gguf_convert(self) -> Python:
        """The Python that runs convert_hf_to_gguf.py."""
        return self._environment(catalog().gguf_convert)

    def torch_quantize(self) -> Python:
        """The Python that runs bitsandbytes, llm-compressor and GPTQModel: the user's own when named, else built."""
        return self._quantizing(catalog().torch_quantize)

    def autoawq(self) -> Python:
        """The Python that runs AutoAWQ."""
        return self._quantizing(catalog().autoawq)

    def modelopt(self) -> Python:
        """The Python that runs NVIDIA ModelOpt."""
        return self._quantizing(catalog().modelopt)

    def _quantizing(self, spec: QuantizingSpec) -> Python:
        if own := own_python(spec):
            return Python(own.python, own.versions)
        return self._environment(spec, _environment_builder(self._workshop(), spec, spec.afterwards))

    def vllm_cpu(self) -> Python:
        """The Python that runs vLLM on a CPU."""
        spec = catalog().vllm_cpu
        return self._environment(spec, repackaged_builder(self._workshop(), spec))

    def transformers_serve(self) -> Python:
        """The Python that runs `transformers serve`, with bitsandbytes."""
        return self._environment(catalog().transformers_serve)

    def lm_eval(self) -> Python:
        """The Python that runs lm-evaluation-harness."""
        return self._environment(catalog().lm_eval)

    def _environment(self, spec: EnvironmentSpec, build: Builder | None = None) -> Python:
        workshop = self._workshop()
        directory = ensure(workshop, spec, build or _environment_builder(workshop, spec))
        return Python(directory / ENVIRONMENT / "bin" / "python", manifest(directory)["versions"])

    def _workshop(self) -> Workshop:
        self._root.mkdir(parents=True, exist_ok=True)
        return Workshop(self._root, self._processes or Processes(), self._on_progress)


def _llama_cpp(programs: Sequence[Path], script: Path, version: str, origin: str) -> LlamaCpp:
    server, quantize, imatrix, perplexity, bench = programs
    return LlamaCpp(server, quantize, imatrix, perplexity, bench, script, version.removeprefix("version: "), origin)


def _environment_builder(workshop: Workshop, spec: EnvironmentSpec, afterwards: Sequence[str] = ()) -> Builder:
    """`afterwards` is installed last and built against what is there, as packages that compile against torch need."""

    def build(directory: Path, log_path: Path) -> dict[str, Any]:
        workshop.on_progress(f"Making the environment {spec.name}: {spec.why}", None)
        python = make_environment(workshop, directory / ENVIRONMENT, log_path)
        pip(workshop, python, ["install", *spec.packages], log_path, f"Installing {spec.name}")
        if afterwards:
            pip(workshop, python, ["install", "--no-build-isolation", *afterwards], log_path, f"Installing {spec.name}")
        workshop.processes.run_tool([python, "-c", f"import {', '.join(spec.imports)}"], log_path)
        programs = [str(python.relative_to(directory))]
        return {"programs": programs, "versions": installed_versions(workshop, python, log_path)}

    return build


def _default_root() -> Path:
    from planner.cache import cache_directory

    return cache_directory() / "toolchains"
