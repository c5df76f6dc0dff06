"""The service under load, killed, and tried against its own document: python benchmarks/service.py [--seconds 300] ...

Prints: plans a second with two workers, their waits and who used the cores, for three mixes (questions asked before,
one in ten new, none asked before); the pages in a browser; what was lost or carried out twice when the service is
killed under load; cases of the OpenAPI document. Needs the packages `wrk` and `chromium` for the first two.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.service_kills import kill_often
from benchmarks.service_load import fresh, has_generator, known, load, one_in

PORT = 8671
ADDRESS = f"http://127.0.0.1:{PORT}"
SERVE = (sys.executable, "-m", "planner.cli.main", "serve", "--port", str(PORT))
FITS = ("/fits?on=1xA100-80GB", "/fits?on=1xA100-80GB", "/fits?on=8xH100-80GB-SXM", "/fits?model=llama-3.1-70b")
PARTS = ("load", "fits", "pages", "kills", "document")


def main() -> int:
    """Every part, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (all)")
    parser.add_argument("--seconds", type=float, default=300, help="length of the load test on questions asked before")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--cases", type=int, default=5000)
    given = parser.parse_args()
    for part in given.parts or PARTS:
        match part:
            case "load":
                loads(given.seconds)
            case "fits":
                fits()
            case "pages":
                pages()
            case "kills":
                kills(given.kills)
            case "document":
                document(given.cases)
            case _:
                parser.error(f"there is no part {part}")
    return 0


@contextmanager
def served(environment: Mapping[str, str], *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`quantplan serve` on a port of its own, ended afterwards."""
    process = start(environment, *options)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def start(environment: Mapping[str, str], *options: str) -> subprocess.Popen[bytes]:
    """A service that is ready."""
    command = [*SERVE, *options]
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL, start_new_session=True
    )
    for _ in range(600):
        try:
            if httpx.get(f"{ADDRESS}/readyz").status_code == httpx.codes.OK:
                return process
        except httpx.HTTPError:
            time.sleep(0.05)
    raise SystemExit("the service did not start")


def loads(seconds: float) -> None:
    """The three mixes; the first for as long as asked, the others a tenth of it."""
    if not has_generator():
        print("load: left out, for wrk is not installed (apt-get install wrk)")
        return
    with tempfile.TemporaryDirectory() as home, served({"QUANTPLAN_HOME": home}, "--workers", "2") as service:
        for question in known():
            httpx.post(f"{ADDRESS}/v1/plans", json=question, timeout=60)
        load(ADDRESS, service.pid, 3, known(), gzip=True)
        short = max(seconds / 10, 5)
        for says, length, questions, gzip in (
            (f"{len(known())} questions asked again and again", seconds, known(), True),
            ("the same, answers not compressed", short, known(), False),
            ("one question in ten never asked before", short, list(one_in(10, 30_000, start=0)), True),
            ("questions never asked before", short, list(fresh(30_000, start=3_000)), True),
        ):
            print(f"{says:42} {load(ADDRESS, service.pid, length, questions, gzip)}", flush=True)


def fits() -> None:
    """The page of what fits and its picture, of a service just started, and again."""
    with (
        tempfile.TemporaryDirectory() as home,
        served({"QUANTPLAN_HOME": home}),
        httpx.Client(base_url=ADDRESS) as client,
    ):
        for address in FITS:
            page, picture = (_milliseconds(client, at) for at in (address, address.replace("/fits", "/fits/map.svg")))
            print(f"{address:42} page {page:4.0f} ms, its picture {picture:4.0f} ms more")


def _milliseconds(client: httpx.Client, address: str) -> float:
    begun = time.perf_counter()
    client.get(address, timeout=60).raise_for_status()
    return 1000 * (time.perf_counter() - begun)


def pages() -> None:
    """Every page in a real browser: first render, weight, console errors, what it asks of others, WCAG AA."""
    from benchmarks.service_pages import chromium, look_at_all

    browser = chromium()
    if browser is None:
        print("pages: left out, for there is no Chromium (apt-get install chromium)")
        return
    with tempfile.TemporaryDirectory() as home, served({"QUANTPLAN_HOME": home}):
        for line in look_at_all(browser, ADDRESS):
            print(line, flush=True)


def kills(times: int) -> None:
    """Killed at random moments under load; what was acknowledged must be there, and have run once."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "QUANTPLAN_HOME": home}
        create = [sys.executable, "-m", "planner.cli.main", "tokens", "create", "bench", "--scope", "execute"]
        token = subprocess.run(create, env=environment, capture_output=True, text=True, check=True).stdout.strip()
        print(kill_often(times, Path(home), token, start, served, ADDRESS, fresh(1_000_000)))


def document(cases: int) -> None:
    """So many cases from the OpenAPI document, all checks of the test."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/service/test_schema.py"]
    environment = {**os.environ, "QUANTPLAN_SCHEMA_CASES": str(cases)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    print(f"{cases:,} cases of the OpenAPI document: {'all kept' if done.returncode == 0 else done.stdout[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
