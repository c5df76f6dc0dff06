"""Compiles llama.cpp's programs for this very CPU: only those that are needed, statically linked.

Objects are kept outside the toolchain until it is finished, so a build that was killed goes on where it was: ninja
trusts only objects its own log lists as finished. make does not, so with make a build starts over.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from executor.aside import PARTIAL
from executor.locking import is_locked
from executor.toolchains.building import Builder, Workshop, ensure
from executor.toolchains.catalog import LlamaCppSpec, SourceSpec
from executor.toolchains.environments import make_environment, pip
from executor.toolchains.llama_source import llama_source
from planner.errors import ExecutionFailed

QUICK_BUILD = Path(__file__).with_name("quick_build.cmake")
FLUSH_LOG = Path(__file__).with_name("flush_log.cpp")
STEP_OF = re.compile(r"^\[(\d+)/(\d+)\]")  # ninja
PERCENT = re.compile(r"^\[\s*(\d+)%\]")  # make


def built_programs(workshop: Workshop, spec: LlamaCppSpec, source: SourceSpec) -> Path:
    """The directory that holds the compiled programs, compiled first if need be (minutes)."""
    depends = (source.sha256, *(file.read_text(encoding="utf-8") for file in (QUICK_BUILD, FLUSH_LOG)), cpu_flags())
    return ensure(workshop, spec, _builder(workshop, spec, source), depends)


def cpu_flags() -> str:
    """The instruction sets of this CPU: programs compiled for it may not run on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((" ".join(sorted(line.split())) for line in lines if line.startswith(("flags", "Features"))), "")


def _builder(workshop: Workshop, spec: LlamaCppSpec, source: SourceSpec) -> Builder:
    def build(directory: Path, log_path: Path) -> dict[str, Any]:
        require_compiler()
        tree = llama_source(workshop, source)
        scaffold = workshop.root / "objects" / directory.name.partition(PARTIAL)[0]
        _remove_stale_objects(workshop, spec)
        tools = _build_tools(workshop, spec, scaffold / "tools", log_path)
        _compile(workshop, spec, source, tree, scaffold / "build", tools, log_path)
        for program in spec.programs:
            shutil.copy2(scaffold / "build" / "bin" / program, directory / program)
        shutil.rmtree(scaffold)
        version = _version(workshop, directory / spec.programs[0], log_path)
        return {"programs": spec.programs, "version": version, "commit": source.commit}

    return build


def _remove_stale_objects(workshop: Workshop, spec: LlamaCppSpec) -> None:
    """Remove the objects of builds that were given up: other pins, and nobody is at them."""
    for scaffold in (workshop.root / "objects").glob(f"{spec.name}-*"):
        if not is_locked(workshop.root / "locks" / f"{scaffold.name}.lock"):
            shutil.rmtree(scaffold, ignore_errors=True)


def require_compiler() -> None:
    """ExecutionFailed unless a C++ compiler is on PATH or named by CXX."""
    if not any(shutil.which(name) for name in (os.environ.get("CXX") or "c++", "g++", "clang++")):
        raise ExecutionFailed(
            "no C++ compiler found (looked for CXX, c++, g++, clang++); llama.cpp must be compiled once",
            fix="apt-get install g++ (Debian, Ubuntu), dnf install gcc-c++ (Fedora) or xcode-select --install (macOS); "
            "or put llama.cpp's own programs on PATH or name their directory in QUANTPLAN_LLAMA_CPP",
        )


def _build_tools(workshop: Workshop, spec: LlamaCppSpec, directory: Path, log_path: Path) -> Path | None:
    """Where cmake and ninja lie: None when the machine's own will do, else an environment with the pinned wheels."""
    if _has_cmake(workshop, spec, log_path) and (shutil.which("ninja") or shutil.which("make")):
        return None
    workshop.on_progress("Fetching cmake and ninja (this machine has none that will do)", None)
    python = make_environment(workshop, directory, log_path)
    pip(workshop, python, ["install", *spec.build_tools], log_path, "Fetching cmake and ninja")
    return python.parent


def _has_cmake(workshop: Workshop, spec: LlamaCppSpec, log_path: Path) -> bool:
    if shutil.which("cmake") is None:
        return False
    said = re.search(r"version (\d+)\.(\d+)", workshop.processes.run_tool(["cmake", "--version"], log_path))
    return said is not None and (int(said[1]), int(said[2])) >= spec.minimum_cmake


def _compile(
    workshop: Workshop, spec: LlamaCppSpec, source: SourceSpec, tree: Path, build: Path, tools: Path | None, log: Path
) -> None:
    cmake = tools / "cmake" if tools else "cmake"
    env = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"} if tools else {}
    generator = "Ninja" if tools or shutil.which("ninja") else "Unix Makefiles"
    if generator != "Ninja":
        shutil.rmtree(build, ignore_errors=True)
    options = [f"-D{option}" for option in _options(spec, source)]
    workshop.on_progress("Configuring the build of llama.cpp", 0.0)
    configure = [cmake, "-S", tree, "-B", build, "-G", generator, *options]
    workshop.processes.run_tool(configure, log, env=env)
    jobs = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    compile_ = [cmake, "--build", build, "-j", jobs, "--target", *spec.programs]
    workshop.processes.run_tool(compile_, log, on_line=_counted(workshop), env=env)


def _options(spec: LlamaCppSpec, source: SourceSpec) -> list[str]:
    """The pinned options, and what llama.cpp would else ask git for (the archive has no history: build 0)."""
    named = [f"LLAMA_BUILD_COMMIT={source.commit}", "LLAMA_BUILD_NUMBER=0"]
    return [*spec.cmake_options, *named, *_our_own()]


def _our_own() -> list[str]:
    return [f"CMAKE_PROJECT_llama.cpp_INCLUDE={QUICK_BUILD}", f"QUANTPLAN_TOOLCHAINS={QUICK_BUILD.parent}"]


def _counted(workshop: Workshop) -> Callable[[str], None]:
    def tell(line: str) -> None:
        if step := STEP_OF.match(line):
            fraction = int(step[1]) / int(step[2])
        elif percent := PERCENT.match(line):
            fraction = int(percent[1]) / 100
        else:
            return
        workshop.on_progress("Compiling llama.cpp for this CPU (once; kept for later runs)", fraction)

    return tell


def _version(workshop: Workshop, server: Path, log_path: Path) -> str:
    """What the new server says of itself: proof that it starts on this machine."""
    said = workshop.processes.run_tool([server, "--version"], log_path, timeout_s=60)
    return next((line for line in said.splitlines() if line.startswith("version")), "version: unknown")
