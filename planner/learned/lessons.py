"""Lessons: what was predicted and measured on this machine, in a file beside the journal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from planner.errors import BadInput
from planner.home import home_directory
from planner.request import Frozen, Workload
from planner.support import engines

if TYPE_CHECKING:
    from planner.hardware.hardware import Hardware

FILE = "learned.json"
SWITCH = "QUANTPLAN_LEARNED"
OFF = ("off", "0", "no")


class Lesson(Frozen):
    """One figure of one run: what the constants alone predicted, and what was measured.

    It holds for one machine, engine, version and kernel; `configuration` is the model, format and load it was measured
    with. `run_id` is where it comes from, and `executor` who measured it where that was another machine of the kind.
    """

    machine: str
    engine: str
    engine_version: str
    kernel: str
    configuration: str
    figure: str
    predicted: float
    measured: float
    run_id: str
    measured_at: float
    executor: str = ""


LESSONS = TypeAdapter(tuple[Lesson, ...])


def lessons_path(home: Path | None = None) -> Path:
    return (home or home_directory()) / FILE


def read_lessons(path: Path) -> tuple[Lesson, ...]:
    """Every lesson of the file, oldest first; none when there is no file. BadInput when it is broken."""
    try:
        return _parsed(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return ()


@lru_cache(maxsize=4)
def _parsed(path: Path, modified_ns: int) -> tuple[Lesson, ...]:
    try:
        return LESSONS.validate_json(path.read_bytes())
    except ValidationError as error:
        what = f"not what quantplan learnt: {error.errors()[0]['msg']}"
        raise BadInput(what, where=str(path), fix="forget it: quantplan learned --forget") from None


def write_lessons(path: Path, lessons: Sequence[Lesson]) -> None:
    """Replace the file; written aside and synced first, then renamed. Hold its lock (`held`) since it was read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.partial-{os.getpid()}")
    with aside.open("w", encoding="utf-8") as file:
        file.write(json.dumps([lesson.model_dump(mode="json") for lesson in lessons], indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def forget_lessons(path: Path) -> None:
    """Remove the file, between what others add to it and not while they do."""
    if path.exists():
        with held(path):
            path.unlink(missing_ok=True)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """The lock that whoever reads the lessons in order to add some holds meanwhile; a crash leaves it to nobody."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_on() -> bool:
    """Whether plans use what was learnt; QUANTPLAN_LEARNED=off turns it off."""
    return os.environ.get(SWITCH, "").lower() not in OFF


def known_lessons() -> tuple[Lesson, ...]:
    """Every lesson that plans may use; none where they are turned off."""
    return read_lessons(lessons_path()) if is_on() else ()


def lessons_for(
    hardware: Hardware, engine: str, kernel: str, known: Sequence[Lesson] | None = None
) -> tuple[Lesson, ...]:
    """What was learnt on this very machine, or by others on the same hardware, with this engine, version and kernel.

    `known` are all lessons (None: reads them). For declared hardware: what others measured on such accelerators.
    """
    known = known_lessons() if known is None else known
    if not known or not (hardware.detected or hardware.accelerator):
        return ()
    wanted = (machine_of(hardware), engine, engines()[engine].version_on(hardware), kernel)  # type: ignore[index]
    same = (lesson for lesson in known if _key(lesson) == wanted)
    return tuple(lesson for lesson in same if hardware.detected or lesson.executor)


def machine_of(hardware: Hardware) -> str:
    """A machine by what decides its speed: the accelerators or the CPU, and memory."""
    part = hardware.accelerator or hardware.cpu
    name, memory_gib = (part.name, part.memory_gib) if part else ("unknown", 0.0)
    return machine_name(name, hardware.count if hardware.accelerator else 1, memory_gib)


def machine_name(name: str, count: int, memory_gib: float) -> str:
    return f"{count} x {name}, {memory_gib:.0f} GiB"


def configuration(model: str, format: str, workload: Workload) -> str:
    """The model, format and load as one line."""
    load = f"{workload.concurrency} x {workload.input_tokens} in, {workload.output_tokens} out"
    return f"{model}, {format}, {load}, context {workload.served_context_tokens}"


def _key(lesson: Lesson) -> tuple[str, str, str, str]:
    return lesson.machine, lesson.engine, lesson.engine_version, lesson.kernel
