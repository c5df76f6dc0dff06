"""The service under load, killed, and tried against its own document: python benchmarks/service.py [--seconds 60] ...

Prints: plans a second with two workers (questions asked before, and questions never asked), their p50 and p99; the
`fits` page; what was lost or done twice when the service is killed under load; cases of the OpenAPI document.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from planner.catalog import data_file

PORT = 8671
ADDRESS = f"http://127.0.0.1:{PORT}"
CONNECTIONS = 8
SITUATIONS = [json.loads(line) for line in data_file("situations.jsonl").read_text().splitlines()]


@dataclass
class Load:
    """What a load test saw. `milliseconds` of every answer that was no error."""

    milliseconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        times = sorted(self.milliseconds)
        if not times:
            return f"no answers, {len(self.errors)} errors"
        p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
        rate = len(times) / self.seconds
        return f"{rate:7.0f} requests/s   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   {len(self.errors)} errors"


def main() -> int:
    """Every part, one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="length of each load test")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--cases", type=int, default=5000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, served(home, "--workers", "2"):
        print(f"{len(SITUATIONS)} questions asked again and again: {asyncio.run(load(given.seconds, known()))}")
        print(f"questions never asked before:          {asyncio.run(load(given.seconds, fresh()))}")
        fits()
    if given.kills:
        killed(given.kills)
    if given.cases:
        document(given.cases)
    return 0


@contextmanager
def served(home: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`quantplan serve` on a port of its own, ended afterwards."""
    process = start(home, *options)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def start(home: str, *options: str) -> subprocess.Popen[bytes]:
    """A service that answers."""
    environment = {**os.environ, "QUANTPLAN_HOME": home}
    command = [sys.executable, "-m", "planner.cli.main", "serve", "--port", str(PORT), *options]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    for _ in range(600):
        try:
            if httpx.get(f"{ADDRESS}/readyz").status_code == httpx.codes.OK:
                return process
        except httpx.HTTPError:
            time.sleep(0.05)
    raise SystemExit("the service did not start")


def known() -> Iterator[dict[str, object]]:
    return itertools.cycle(SITUATIONS)


def fresh() -> Iterator[dict[str, object]]:
    """Questions that differ in their prompt length, so that none was asked before."""
    for number, situation in zip(itertools.count(1), itertools.cycle(SITUATIONS), strict=False):
        workload = {**situation.get("workload", {}), "input_tokens": 500 + number}
        yield {**situation, "workload": workload}


async def load(seconds: float, questions: Iterator[dict[str, object]]) -> Load:
    """So many connections, each asking as soon as it is answered. A question nothing answers (409) is no error."""
    seen, end = Load(), time.perf_counter() + seconds
    begun = time.perf_counter()
    async with httpx.AsyncClient(base_url=ADDRESS, timeout=60) as client:

        async def ask() -> None:
            while time.perf_counter() < end:
                sent = time.perf_counter()
                answer = await client.post("/v1/plans", json=next(questions))
                if answer.status_code in (200, 201, 409):
                    seen.milliseconds.append(1000 * (time.perf_counter() - sent))
                else:
                    seen.errors.append(answer.text[:200])

        await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
    seen.seconds = time.perf_counter() - begun
    return seen


def fits() -> None:
    """The page of what fits, first and again."""
    for address in ("/fits?on=1xA100-80GB", "/fits?on=1xA100-80GB", "/fits?on=8xH100-80GB-SXM"):
        begun = time.perf_counter()
        answer = httpx.get(f"{ADDRESS}{address}", timeout=60)
        print(f"{address}: {1000 * (time.perf_counter() - begun):.0f} ms, {len(answer.content):,} bytes")


def killed(times: int) -> None:
    """Kill the service at random moments under load; every plan and run it acknowledged must still be there, once."""
    random.seed(1)
    acknowledged: set[str] = set()
    runs: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "QUANTPLAN_HOME": home}
        create = [sys.executable, "-m", "planner.cli.main", "tokens", "create", "bench", "--scope", "execute"]
        token = subprocess.run(create, env=environment, capture_output=True, text=True, check=True).stdout.strip()
        questions = fresh()
        for number in range(times):
            process = start(home)
            end = time.perf_counter() + random.uniform(0.05, 0.6)
            _ask_until(end, questions, acknowledged, runs, token, number)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        lost, twice = _reckon(home, acknowledged, runs, token)
    print(f"killed {times} times under load: {len(acknowledged)} plans acknowledged, {lost} lost; "
          f"{len(runs)} runs asked for, each key started one run: {twice == 0}")  # fmt: skip


def _ask_until(
    end: float,
    questions: Iterator[dict[str, object]],
    acknowledged: set[str],
    runs: dict[str, str],
    token: str,
    number: int,
) -> None:
    """Plans until the end, then one run under a key that two kills share; what was acknowledged is noted."""
    with httpx.Client(base_url=ADDRESS, timeout=5) as client:
        while time.perf_counter() < end:
            answer = client.post("/v1/plans", json=next(questions))
            if answer.status_code == httpx.codes.CREATED:
                acknowledged.add(answer.json()["digest"])
        if acknowledged:
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"key-{number // 2}"}
            answer = client.post("/v1/runs", json={"plan": sorted(acknowledged)[0]}, headers=headers)
            if answer.status_code == httpx.codes.ACCEPTED:
                runs.setdefault(f"key-{number // 2}", answer.json()["run_id"])


def _reckon(home: str, acknowledged: set[str], runs: dict[str, str], token: str) -> tuple[int, int]:
    """How many acknowledged plans are gone, and how many keys now name another run than before."""
    with served(home), httpx.Client(base_url=ADDRESS, timeout=30) as client:
        lost = sum(client.get(f"/v1/plans/{digest}").status_code != httpx.codes.OK for digest in acknowledged)
        headers = {"Authorization": f"Bearer {token}"}
        twice = 0
        for key, run_id in runs.items():
            again = client.post(
                "/v1/runs", json={"plan": sorted(acknowledged)[0]}, headers={**headers, "Idempotency-Key": key}
            )
            twice += again.json()["run_id"] != run_id
    return lost, twice


def document(cases: int) -> None:
    """So many cases from the OpenAPI document, all checks of the test."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/service/test_schema.py"]
    environment = {**os.environ, "QUANTPLAN_SCHEMA_CASES": str(cases)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    print(f"{cases:,} cases of the OpenAPI document: {'all kept' if done.returncode == 0 else done.stdout[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
