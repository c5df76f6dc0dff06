"""On the node: `python -m executor.distributed.node FOLDER` does the task in that folder and writes how it ended.

The same step functions as on one machine. A lock on the workspace keeps an attempt that was given up for lost from
working beside the next: whoever comes second takes over what the first has finished.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from executor.artifacts import altered
from executor.aside import remove_partials
from executor.attempting import carried_out
from executor.distributed.task import (
    OVERTAKEN_STATUS,
    TASK,
    UNSEEN_STATUS,
    Attempt,
    Beat,
    Failure,
    Outcome,
    Task,
    read_whole,
)
from executor.distributed.workers import own_address, start_worker
from executor.locking import lock
from executor.processes import Processes
from executor.signals import interruptible
from executor.step import Result, StepContext
from executor.steps import STEPS
from executor.steps.spec import StepSpec
from executor.toolchains import Toolchains
from planner import __version__
from planner.errors import ExecutionFailed

Tell = Callable[[str, float | None], None]
WORKER = StepSpec(start_worker, ephemeral=True)


def main(folder: str) -> int:
    """Exit status 0 once an outcome, good or bad, is written."""
    attempt = Attempt(Path(folder))
    if not (attempt.folder / TASK).is_file():
        print(f"{socket.gethostname()} does not see {folder}", file=sys.stderr)
        return UNSEEN_STATUS
    if (told := str((read_whole(attempt.folder / TASK) or {}).get("quantplan_version"))) != __version__:
        attempt.write_outcome(Outcome(node=socket.gethostname(), failure=Failure.of(_other_version(told))))
        return 0
    task = attempt.task()
    with beating(attempt, task.beat_s) as tell, interruptible(), lock(_lock_path(task), waiting=_told(tell)):
        if (earlier := finished_before(attempt)) is not None:
            attempt.write_outcome(earlier)
            return 0
        if attempt.others[-1].number != attempt.number:
            return OVERTAKEN_STATUS
        remove_partials(Path(task.workspace)) if _makes_files(task) else None
        do(task, attempt, tell)
    return 0


def do(task: Task, attempt: Attempt, tell: Tell) -> None:
    """The step, with its outcome written; and as long as its lease is renewed, what it holds alive."""
    with Processes() as processes:
        outcome = performed(task, processes, tell)
        attempt.write_outcome(outcome)
        if outcome.result is not None and spec_of(task).ephemeral:
            hold(attempt, task.lease_s, lambda: processes.running(outcome.result["pid"]) is not None)  # type: ignore[index]


def performed(task: Task, processes: Processes, tell: Tell) -> Outcome:
    """The step's result or failure, and what its tools used."""
    began, result, failure = time.monotonic(), None, None
    try:
        context = context_of(task, processes, tell)
        store = context.workspace.parent.parent / "artifacts"
        result = carried_out(spec_of(task), context, store)
    except Exception as error:
        with Path(task.log_path).open("a", encoding="utf-8") as log:
            traceback.print_exception(error, file=log)
        failure = Failure.of(error)
    used = replace(processes.take_usage(), wall_s=time.monotonic() - began)
    return Outcome(
        node=socket.gethostname(),
        result=result,
        failure=failure,
        peak_bytes=used.peak_bytes,
        cpu_s=used.cpu_s,
        wall_s=used.wall_s or 0.0,
    )


def spec_of(task: Task) -> StepSpec:
    return WORKER if task.is_worker else STEPS[task.stage.kind]


def context_of(task: Task, processes: Processes, tell: Tell) -> StepContext:
    own = {"host": own_address()} if task.listens else {}
    return StepContext(
        plan=task.plan,
        stage=task.stage.model_copy(update={"parameters": {**task.stage.parameters, **own}}),
        workspace=Path(task.workspace),
        results=task.results,
        log_path=Path(task.log_path),
        report=tell,
        toolchains=Toolchains(on_progress=tell, processes=processes),
        processes=processes,
    )


def finished_before(attempt: Attempt) -> Outcome | None:
    """What an earlier attempt, given up for lost, finished after all."""
    for other in attempt.others:
        outcome = other.outcome() if other.number < attempt.number else None
        if outcome and outcome.result and outcome.result.get("artifacts") and stands(outcome.result):
            return outcome
    return None


def stands(result: Result) -> bool:
    return not altered(result["artifacts"])


def hold(attempt: Attempt, lease_s: float, alive: Callable[[], bool], poll_s: float = 0.5) -> None:
    """Return when the lease has not changed for `lease_s` and it was not kept, or what is held has ended by itself."""
    seen, since = read_whole(attempt.lease_path), time.monotonic()
    while alive() and time.monotonic() - since < lease_s:
        time.sleep(poll_s)
        if attempt.is_kept:
            since = time.monotonic()
        elif (now := read_whole(attempt.lease_path)) != seen:
            seen, since = now, time.monotonic()


@contextmanager
def beating(attempt: Attempt, beat_s: float) -> Iterator[Tell]:
    """Write a beat every `beat_s` from a thread of its own; what is told is sent along with the next."""
    said: dict[str, tuple[str, float | None]] = {"last": ("started", None)}
    ended, node = threading.Event(), socket.gethostname()

    def beat() -> None:
        count = 0
        while not ended.is_set():
            message, fraction = said["last"]
            attempt.write_beat(Beat(count=count, node=node, message=message, fraction=fraction))
            count += 1
            ended.wait(beat_s)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield lambda message, fraction: said.update(last=(message, fraction))
    finally:
        ended.set()
        thread.join()


def _lock_path(task: Task) -> Path:
    """One job of a run makes files at a time; those that use a server run beside the one that holds it."""
    name = ".elsewhere.lock" if _makes_files(task) else f".elsewhere-{task.stage.name}.lock"
    return Path(task.workspace) / name


def _makes_files(task: Task) -> bool:
    spec = spec_of(task)
    return not spec.ephemeral and not spec.needs


def _told(tell: Tell) -> Callable[[str], None]:
    return lambda holder: tell(f"waiting for an earlier attempt to end ({holder})", None)


def _other_version(asked: str) -> ExecutionFailed:
    return ExecutionFailed(
        f"the node has quantplan {__version__}, and the run is of quantplan {asked}",
        where=socket.gethostname(),
        fix=f"pip install 'quantplan[executor]=={asked}' on every node",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
