"""The service killed at random moments under load: what it acknowledged must still be there, and run exactly once.

Runs are carried out by an executor that only writes down when it began and ended, found by the same entry point as the
real one. Runners are processes of their own: a killed service leaves them at work, and the next one finds more to do.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx

Start = Callable[[Mapping[str, str]], "Popen[bytes]"]
Served = Callable[[Mapping[str, str]], AbstractContextManager[object]]
EXECUTOR = """
import os, pathlib, sys, time
from planner.ports import Event

class Counting:
    def apply(self, plan, *, on_event):
        with open(pathlib.Path(os.environ["QUANTPLAN_HOME"]) / "carried-out", "a") as log:
            log.write(sys.argv[1] + "\\n")  # the runner's argument is the run's id
        on_event(Event("fetch", "running", "pretending", 0.5))
        time.sleep(0.2)
        on_event(Event("fetch", "done", "pretended"))

    def runs(self):
        return []
"""


@dataclass
class Told:
    """What the service acknowledged: digests of plans, and the run that each idempotency key started."""

    plans: dict[str, None] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reckoning:
    """After the last kill. `lost`: plans and runs that are gone; `twice`: keys of another run, second executions."""

    kills: int
    plans: int
    runs: int
    lost: int
    twice: int
    unfinished: int

    def __str__(self) -> str:
        return (
            f"killed {self.kills} times under load: {self.plans} plans and {self.runs} runs acknowledged, "
            f"{self.lost} lost, {self.twice} carried out twice, {self.unfinished} unfinished"
        )


def kill_often(
    times: int,
    home: Path,
    token: str,
    start: Start,
    served: Served,
    address: str,
    questions: Iterator[Mapping[str, Any]],
) -> Reckoning:
    """Start, ask, kill, so many times; then let it finish, and count."""
    random.seed(1)
    environment = {"QUANTPLAN_HOME": str(home), "PYTHONPATH": str(_install(home / "executor"))}
    told = Told()
    for number in range(times):
        process = start(environment)
        _ask_until(time.perf_counter() + random.uniform(0.1, 1.0), address, questions, told, token, number)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with served(environment), httpx.Client(base_url=address, timeout=30) as client:
        unfinished = _wait_for(client, told, seconds=60)
        lost = sum(client.get(f"/v1/plans/{digest}").status_code != httpx.codes.OK for digest in told.plans)
        lost += sum(client.get(f"/v1/runs/{run}").status_code != httpx.codes.OK for run in told.runs.values())
        others = sum(_started(client, token, key, told).json()["run_id"] != run for key, run in told.runs.items())
    begun = Counter((home / "carried-out").read_text().split())
    twice = others + sum(count - 1 for count in begun.values())
    return Reckoning(times, len(told.plans), len(told.runs), lost, twice, unfinished)


def _ask_until(
    end: float, address: str, questions: Iterator[Mapping[str, Any]], told: Told, token: str, number: int
) -> None:
    """Plans and runs in turn until the end; two kills share each key, so that a retry after a kill is tried, too."""
    with httpx.Client(base_url=address, timeout=10) as client:
        while time.perf_counter() < end:
            answer = client.post("/v1/plans", json=next(questions))
            if answer.status_code == httpx.codes.CREATED:
                told.plans[answer.json()["digest"]] = None
            key = f"{number // 2}-{len(told.plans) % 4}"
            if told.plans and (answer := _started(client, token, key, told)).status_code == httpx.codes.ACCEPTED:
                told.runs.setdefault(key, answer.json()["run_id"])


def _started(client: httpx.Client, token: str, key: str, told: Told) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    return client.post("/v1/runs", json={"plan": next(iter(told.plans))}, headers=headers)


def _wait_for(client: httpx.Client, told: Told, seconds: float) -> int:
    """How many runs have not ended well after so long."""
    end = time.monotonic() + seconds
    waiting = set(told.runs.values())
    while waiting and time.monotonic() < end:
        waiting = {run for run in waiting if client.get(f"/v1/runs/{run}").json()["state"] != "done"}
        time.sleep(0.2)
    return len(waiting)


def _install(folder: Path) -> Path:
    """A folder that offers the counting executor under the real one's name."""
    about = folder / "counting-0.dist-info"
    about.mkdir(parents=True)
    (folder / "counting.py").write_text(EXECUTOR)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 0\n")
    (about / "entry_points.txt").write_text("[planner.executors]\nlocal = counting:Counting\n")
    return folder
