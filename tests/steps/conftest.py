"""A workspace to run single steps in, with fake tools in the places of the real ones."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from example_plan import example_plan

from executor.processes import Processes
from executor.step import Result, StepContext
from planner.plan import Plan

HERE = Path(__file__).parent
MakeContext = Callable[..., StepContext]


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes() as running:
        yield running


@pytest.fixture
def tools(tmp_path: Path) -> SimpleNamespace:
    """Programs a test may overwrite by name with `program(name, python_source)`."""
    folder = tmp_path / "tools"
    folder.mkdir()

    def program(name: str, source: str) -> Path:
        path = folder / name
        path.write_text(f"#!{sys.executable}\n{source}")
        path.chmod(0o755)
        setattr(llama_cpp, name, path)
        return path

    llama_cpp = SimpleNamespace(convert_script=folder / "convert.py", version="0.3.36", origin="built")
    python = SimpleNamespace(python=Path(sys.executable), versions={"torch": "2.13.0", "pip": "26"})
    program("server", (HERE / "fake_openai_server.py").read_text())
    return SimpleNamespace(
        program=program, llama_cpp=lambda: llama_cpp, gguf_convert=lambda: python, folder=folder
    )  # fmt: skip


@pytest.fixture
def make_context(tmp_path: Path, tools: SimpleNamespace, processes: Processes) -> MakeContext:
    """A context for one stage of a plan, with the results of earlier stages."""
    workspace = tmp_path / "run"
    workspace.mkdir()

    def make(
        stage: str, results: dict[str, Result] | None = None, *, plan: Plan | None = None, **more: Any
    ) -> StepContext:
        plan = plan or example_plan()
        return StepContext(
            plan=plan,
            stage=next(s for s in plan.stages if s.name == stage),
            workspace=workspace,
            results=results or {},
            log_path=workspace / f"{stage}.log",
            report=more.pop("report", lambda message, fraction: None),
            toolchains=tools,
            processes=processes,
            **more,
        )

    return make
