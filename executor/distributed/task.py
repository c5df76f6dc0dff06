"""One attempt at a step on another machine: a folder that both sides see, with the task, its beat and its outcome.

Every file is written aside and renamed, so that neither side ever reads half of one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.process import Usage
from executor.processes import ToolFailed
from planner.errors import BadInput, ExecutionFailed, QuantplanError
from planner.plan import Plan, Stage
from planner.request import Frozen

FOLDER = "elsewhere"
TASK, BEAT, OUTCOME, LEASE, KEPT = "task.json", "beat.json", "outcome.json", "lease.json", "kept.json"
UNSEEN_STATUS, OVERTAKEN_STATUS = 3, 4  # exit statuses: this folder is not here; a later attempt has taken over


class Task(Frozen):
    """What a node is asked to do: one stage of a plan, with what earlier stages returned.

    `lease_s`: a step that holds a server ends it when the lease beside the attempts has not changed for so long.
    `listens`: others than the run reach the server, at the node's own address. `is_worker`: the job holds a worker of
    the stage's server instead.
    """

    quantplan_version: str
    run_id: str
    plan: Plan
    stage: Stage
    workspace: str
    log_path: str
    results: dict[str, dict[str, Any]]
    beat_s: float
    lease_s: float
    listens: bool = False
    is_worker: bool = False


class Beat(Frozen):
    """A sign of life. Only that `count` changes matters: the clocks of two machines are never compared."""

    count: int
    node: str
    message: str
    fraction: float | None = None


class Failure(Frozen):
    """An error on its way back; `kind` is the class it is raised as again."""

    kind: str
    what: str
    where: str = ""
    nearest: tuple[str, ...] = ()
    fix: str = ""
    exit_status: int | None = None

    @classmethod
    def of(cls, error: Exception) -> Failure:
        if not isinstance(error, QuantplanError):
            return cls(kind="ExecutionFailed", what=f"{type(error).__name__}: {error}")
        status = error.exit_status if isinstance(error, ToolFailed) else None
        told = {"what": error.what, "where": error.where, "nearest": error.nearest, "fix": error.fix}
        return cls(kind=type(error).__name__, exit_status=status, **told)

    def error(self) -> QuantplanError:
        """The same error again, as near to its class as a run needs."""
        if self.kind == "ToolFailed":
            return ToolFailed(self.what, fix=self.fix, exit_status=self.exit_status)
        kind = BadInput if self.kind == "BadInput" else ExecutionFailed
        return kind(self.what, where=self.where, nearest=self.nearest, fix=self.fix)


class Outcome(Frozen):
    """How an attempt ended: a result or a failure, on which node, and what it used there."""

    node: str
    result: dict[str, Any] | None = None
    failure: Failure | None = None
    peak_bytes: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0

    @property
    def usage(self) -> Usage:
        return Usage(self.peak_bytes, self.cpu_s, self.wall_s)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt's folder: `RUN/elsewhere/STAGE/WAY/NN`."""

    folder: Path

    @property
    def number(self) -> int:
        return int(self.folder.name)

    @property
    def others(self) -> list[Attempt]:
        """All attempts at the same step with the same inputs, in order, this one among them."""
        return attempts_in(self.folder.parent)

    @property
    def lease_path(self) -> Path:
        return self.folder.parents[2] / LEASE

    @property
    def is_kept(self) -> bool:
        """Whether what it holds was kept and not released: then it needs no lease. A directory that cannot be read
        just now releases nothing.
        """
        try:
            return read_whole(self.folder / KEPT) is not None
        except OSError:
            return True

    def keep(self) -> None:
        """Let what it holds run on though nobody renews its lease any more."""
        write_whole(self.folder / KEPT, json.dumps({"released_by": "quantplan stop"}))

    def release(self) -> None:
        """End what it holds within its lease, also where no cluster can be told to."""
        (self.folder / KEPT).unlink(missing_ok=True)

    def write_task(self, task: Task) -> None:
        write_whole(self.folder / TASK, task.model_dump_json())

    def task(self) -> Task:
        """BadInput when it is not there, or of another version of quantplan."""
        content = read_whole(self.folder / TASK)
        if content is None:
            raise BadInput("no task there", where=str(self.folder))
        return Task.model_validate(content)

    def write_beat(self, beat: Beat) -> None:
        write_whole(self.folder / BEAT, beat.model_dump_json())

    def beat(self) -> Beat | None:
        content = read_whole(self.folder / BEAT)
        return Beat.model_validate(content) if content else None

    def write_outcome(self, outcome: Outcome) -> None:
        write_whole(self.folder / OUTCOME, outcome.model_dump_json())

    def outcome(self) -> Outcome | None:
        content = read_whole(self.folder / OUTCOME)
        return Outcome.model_validate(content) if content else None


def attempts_in(folder: Path) -> list[Attempt]:
    found = sorted(path for path in folder.glob("[0-9][0-9]*") if path.is_dir()) if folder.is_dir() else []
    return [Attempt(path) for path in found]


def write_whole(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def read_whole(path: Path) -> Mapping[str, Any] | None:
    """The file's content; None while it is not there."""
    try:
        content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content
