"""A cluster of equal standing: every job a process of this machine, known by files, so that who asks may change."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from left_over import gone

from executor.distributed.jobs import Job, JobState, Node, Unreachable
from executor.distributed.settings import Patience, RaySettings, ray_settings

NODE = Path(__file__).with_name("fake_node.py")
HASTE = Patience(
    request_s=1, poll_s=0.02, head_silent_s=0.3, node_silent_s=10, pending_s=10, start_s=10,
    settle_s=0, lost_s=1, beat_s=0.1, lease_s=0.6, attempts=2,
)  # fmt: skip


def hasty() -> RaySettings:
    return ray_settings().model_copy(update={"patience": HASTE})


@dataclass
class JobsHere:
    """Jobs below `folder`, carried out by `nodes_here`; `marker` is on the command line of what they start. Delete
    `folder/head` to silence the head.
    """

    folder: Path
    marker: str
    started_by: subprocess.Popen[str]
    address: str = "http://head:8265"
    memory_bytes: float = 64 * 2**30
    forgotten: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.head.touch()

    @property
    def head(self) -> Path:
        return self.folder / "head"

    def require_known(self) -> None: ...

    def nodes(self) -> tuple[Node, ...]:
        self._answer()
        return tuple(Node(f"127.0.0.{number}", 8, 0, self.memory_bytes) for number in (1, 2))

    def submit(self, job: Job) -> None:
        self._answer()
        if self._record(job.job_id).is_file():
            return
        assert self.started_by.stdin is not None
        self.started_by.stdin.write(f"{job.command[-1]}\t{self.marker}\t{self._record(job.job_id)}\n")
        self.started_by.stdin.flush()
        while not self._record(job.job_id).is_file():
            time.sleep(0.005)

    def state(self, job_id: str) -> JobState:
        self._answer()
        record = self._record(job_id)
        if not record.is_file() or job_id in self.forgotten:
            return JobState("unknown", "the head knows no such job")
        known = json.loads(record.read_text())
        if running(known["pid"]):
            return JobState("running", node="127.0.0.1")
        return JobState("failed", f"its node died\nof {job_id}", node="127.0.0.1")

    def stop(self, job_id: str) -> None:
        self._answer()
        if self.state(job_id).phase == "running":
            os.kill(json.loads(self._record(job_id).read_text())["pid"], signal.SIGTERM)

    def log_tail(self, job_id: str) -> str:
        return ""

    def kill(self, job_id: str) -> None:
        """As when its node loses power, less what watches over its tools."""
        with suppress(ProcessLookupError):
            os.kill(json.loads(self._record(job_id).read_text())["pid"], signal.SIGKILL)

    def all_end(self, within_s: float = 10.0) -> bool:
        """Whether every job, and what it started, ends in time."""
        deadline = time.monotonic() + within_s
        pids = [json.loads(path.read_text())["pid"] for path in self.folder.glob("*.json")]
        while any(running(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.02)
        return not any(running(pid) for pid in pids) and gone(self.marker, max(0.1, deadline - time.monotonic()))

    def _record(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.json"

    def _answer(self) -> None:
        if not self.head.is_file():
            raise Unreachable("ConnectError: refused")


@contextmanager
def nodes_here() -> Iterator[subprocess.Popen[str]]:
    """What carries jobs out, for the block."""
    with subprocess.Popen([sys.executable, str(NODE)], stdin=subprocess.PIPE, text=True) as nodes:
        try:
            yield nodes
        finally:
            nodes.kill()


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
