"""What can be asked about a server or a finished run besides applying: load it, compare it with its original."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from planner.request import ServiceLevel

OnMessage = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BenchQuestion:
    """A load to put on a server: the URL of one, or a run whose model is started for it.

    `rate_per_s` makes it an open loop with Poisson arrivals; else `concurrency` requests are in flight. With `ramp` the
    load is raised until the service level is missed at the percentile `at`. None takes the run's own workload.
    `engine` says how to speak to a URL: any OpenAI-compatible server by default.
    """

    target: str
    engine: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    requests: int | None = None
    warmup_requests: int = 2
    concurrency: int | None = None
    rate_per_s: float | None = None
    variation: float = 0.0
    lengths_file: Path | None = None
    text: str | None = None
    ramp: bool = False
    at: str = "p95"
    service_level: ServiceLevel = field(default_factory=ServiceLevel)


@dataclass(frozen=True, slots=True)
class EvaluationQuestion:
    """What to compare a run's model with its original by: a text, the user's own queries, benchmark tasks.

    `task_files`: a folder of lm-evaluation-harness tasks, searched before its own. `limit`: examples of each task.
    `run_generated_code`: needed for HumanEval, which executes what the model writes.
    """

    run_id: str
    text: str | None = None
    queries: Path | None = None
    tasks: tuple[str, ...] = ()
    task_files: Path | None = None
    limit: int | None = None
    answer_tokens: int = 64
    run_generated_code: bool = False


class Examiner(Protocol):
    """Examines servers and runs of this machine. Results are plain JSON values."""

    def bench(self, question: BenchQuestion, *, on_message: OnMessage) -> dict[str, Any]:
        """The load test's figures, or the points of a ramp. ExecutionFailed when nothing answers."""

    def evaluate(self, question: EvaluationQuestion, *, on_message: OnMessage) -> dict[str, Any]:
        """What was measured on both models, and go or no-go with reasons; also kept in the run's folder."""
