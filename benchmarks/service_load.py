"""Questions sent to a running service by `wrk` (a load generator in C): rate, waits, and who used the cores.

A generator written in Python costs more of the two cores than the service it measures, so there is none here.
"""

from __future__ import annotations

import itertools
import json
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from planner.catalog import data_file

CONNECTIONS = 8
VARIANTS = 400
SITUATIONS: list[dict[str, Any]] = [json.loads(line) for line in data_file("situations.jsonl").read_text().splitlines()]
SCRIPT = """
local bodies, n = {}, 0
for line in io.lines("%(questions)s") do bodies[#bodies + 1] = line end
request = function()
  n = n + 1
  local headers = {["content-type"] = "application/json"%(encoding)s}
  return wrk.format("POST", "/v1/plans", headers, bodies[(n - 1) %% #bodies + 1])
end
done = function(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  local p50, p99 = latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  io.write("\\n", table.concat({summary.requests, summary.duration / 1e6, failed, p50, p99}, " "), "\\n")
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a load test saw. `failed`: answers other than 200 and 201, broken connections. Cores: CPU time a second."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    failed: int
    service_cores: float
    generator_cores: float

    def __str__(self) -> str:
        return (
            f"{self.requests_per_s:7.0f} requests/s   p50 {self.p50_ms:6.1f} ms   p99 {self.p99_ms:6.1f} ms   "
            f"{self.failed} failed   cores: service {self.service_cores:.2f}, generator {self.generator_cores:.2f}"
        )


def has_generator() -> bool:
    """Whether `wrk` is on this machine."""
    return shutil.which("wrk") is not None


def load(address: str, service_pid: int, seconds: float, questions: Iterable[Mapping[str, Any]], gzip: bool) -> Load:
    """So many connections, each asking the next question as soon as it is answered, again from the first at the end."""
    with tempfile.TemporaryDirectory() as folder:
        asked, script = Path(folder) / "questions.jsonl", Path(folder) / "ask.lua"
        asked.write_text("".join(json.dumps(question) + "\n" for question in questions))
        encoding = ', ["accept-encoding"] = "gzip"' if gzip else ""
        script.write_text(SCRIPT % {"questions": asked, "encoding": encoding})
        command = [
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds:.0f}s",
            "--timeout",
            "60s",
            "-s",
            str(script),
            address,
        ]
        busy, own = _seconds_of(service_pid), _children_seconds()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        busy, own = _seconds_of(service_pid) - busy, _children_seconds() - own
    requests, took, failed, p50, p99 = map(float, done.stdout.splitlines()[-1].split())
    return Load(requests / took, p50, p99, int(failed), busy / took, own / took)


def known() -> list[dict[str, Any]]:
    """The catalogue's situations, asked again and again."""
    return SITUATIONS


def fresh(count: int, start: int = 0) -> Iterator[dict[str, Any]]:
    """Questions that differ in their lengths, so that none was asked before; `start`: where another list left off."""
    for number, situation in zip(range(start, start + count), itertools.cycle(SITUATIONS), strict=False):
        before = situation.get("workload", {})
        shift = {"input_tokens": 500 + number % VARIANTS, "output_tokens": 200 + number // VARIANTS}
        yield {**situation, "workload": {**before, **shift}}


def one_in(ten: int, count: int, start: int) -> Iterator[dict[str, Any]]:
    """Known questions, and one that was never asked among so many."""
    again = itertools.cycle(SITUATIONS)
    for question in fresh(count // ten, start):
        yield from itertools.islice(again, ten - 1)
        yield question


def _seconds_of(pid: int) -> float:
    service = psutil.Process(pid)
    times = [process.cpu_times() for process in (service, *service.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
