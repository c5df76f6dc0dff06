"""Benchmarks by their published names (MMLU, C-Eval, HumanEval ...): lm-evaluation-harness in its own environment.

It asks the running server, so what is judged is what is served. Without a network its tasks need data that is already
here, or task files of one's own (`include_path`), such as the small one shipped in `tasks/`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.processes import Processes
from planner.errors import BadInput, ExecutionFailed

SHIPPED_TASKS = Path(__file__).with_name("tasks")
NAMES = {"mmlu": "mmlu", "c-eval": "ceval-valid", "ceval": "ceval-valid", "humaneval": "humaneval"}
RUNS_CODE = {"humaneval"}
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
SCORES = ("acc_norm", "acc", "exact_match", "pass@1")


@dataclass(frozen=True, slots=True)
class Tasks:
    """What to run: the harness's names or the articles', a folder of task files, how many examples of each."""

    names: tuple[str, ...]
    files: Path | None = None
    limit: int | None = None
    run_generated_code: bool = False

    def __post_init__(self) -> None:
        unsafe = RUNS_CODE & set(self.known_names)
        if unsafe and not self.run_generated_code:
            raise BadInput(
                f"{', '.join(unsafe)} runs code that the model writes",
                fix="run it in a sandbox you trust, and say so: --run-generated-code",
            )

    @property
    def known_names(self) -> tuple[str, ...]:
        return tuple(NAMES.get(name.lower(), name) for name in self.names)


@dataclass(frozen=True, slots=True)
class Score:
    """One task's main figure (0 to 1), its standard error, and what it is called there."""

    task: str
    metric: str
    value: float
    standard_error: float | None
    samples: int | None


def run_tasks(
    tasks: Tasks, python: Path, processes: Processes, *, url: str, model: str, tokenizer: Path, folder: Path
) -> list[Score]:
    """Score a running server. ExecutionFailed with the harness's last lines when a task cannot be run."""
    results = folder / "lm-eval"
    command = harness_command(tasks, python, url=url, model=model, tokenizer=tokenizer, results=results)
    before = set(results.rglob("results_*.json"))
    environment = {**OFFLINE, "HF_ALLOW_CODE_EVAL": "1"} if tasks.run_generated_code else OFFLINE
    processes.run_tool(command, folder / "logs" / "lm-eval.log", env=environment)
    written = sorted(set(results.rglob("results_*.json")) - before, key=lambda path: path.stat().st_mtime)
    if not written:
        raise ExecutionFailed("lm-evaluation-harness wrote no results", where=str(results), fix="read its log")
    return scores(json.loads(written[-1].read_text(encoding="utf-8")), tasks.known_names)


def harness_command(
    tasks: Tasks, python: Path, *, url: str, model: str, tokenizer: Path, results: Path
) -> list[str | Path]:
    """The harness's command line; its own syntax of arguments has no quotes, so a name with a comma is refused."""
    for value in (model, str(tokenizer)):
        if "," in value or "=" in value:
            raise BadInput(f"{value!r} cannot be told to lm-evaluation-harness", fix="serve it under a plain name")
    arguments = f"base_url={url}/v1/completions,model={model},tokenizer={tokenizer},num_concurrent=1,max_retries=2"
    command: list[str | Path] = [python, "-m", "lm_eval", "run", "--model", "local-completions"]
    command += ["--model_args", arguments, "--tasks", ",".join(tasks.known_names), "--output_path", results]
    command += ["--include_path", tasks.files or SHIPPED_TASKS, "--batch_size", "1"]
    command += ["--limit", str(tasks.limit)] if tasks.limit else []
    return [*command, "--confirm_run_unsafe_code"] if tasks.run_generated_code else command


def scores(results: Mapping[str, Any], names: Sequence[str]) -> list[Score]:
    """The asked tasks' main figures. ExecutionFailed when one is missing."""
    found = []
    for name in names:
        figures = results.get("results", {}).get(name, {})
        keys = {key.partition(",")[0]: key for key in figures if isinstance(figures[key], int | float)}
        metric = next((score for score in SCORES if score in keys), None)
        if metric is None:
            raise ExecutionFailed(f"lm-evaluation-harness gave no figure for {name}", fix="read its log")
        error = figures.get(keys[metric].replace(metric, f"{metric}_stderr", 1))
        samples = results.get("n-samples", {}).get(name, {}).get("effective")
        found.append(Score(name, metric, float(figures[keys[metric]]), _number(error), samples))
    return found


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
