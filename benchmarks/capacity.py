"""What the service carries, measured here and worked out for elsewhere: python benchmarks/capacity.py [--seconds 10]

On a PostgreSQL of its own, with one worker and with two: plans a second for questions asked before and for new ones (by
`wrk`), lines of the ledger, who used the cores, connections, and bytes of a plan, a run and a measurement in the
database. Writes docs/capacity.md: the measurements, and what follows from them under assumptions that stand there.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.capacity_page import Bytes, Rate, Worker, written  # noqa: E402
from benchmarks.ledger import Asked, Service, loaded, postgresql, service  # noqa: E402
from benchmarks.service_load import fresh, has_generator, known, load  # noqa: E402

PAGE = ROOT / "docs" / "capacity.md"
WORKERS = (1, 2)
ROWS = 1000
EVENTS_A_RUN = 100
NEW_QUESTIONS = 30_000
CONNECTIONS_NOW = "SELECT count(*) FROM pg_stat_activity WHERE application_name <> 'capacity' AND datname IS NOT NULL"


def main() -> int:
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of each load (10)")
    seconds = parser.parse_args().seconds
    if not has_generator():
        print("wrk is not installed (apt-get install wrk)", file=sys.stderr)
        return 1
    measured, load_before = [], os.getloadavg()[0]
    for workers in WORKERS:
        with tempfile.TemporaryDirectory() as folder, postgresql(Path(folder)) as url:
            database = int((Path(folder) / "postgresql" / "postmaster.pid").read_text().split()[0])
            with service(url, workers) as there:
                measured.append(measure(there, database, workers, seconds))
                print(measured[-1], flush=True)
            sizes, version = bytes_of(url), version_of(url)
    PAGE.write_text(written(measured, sizes, version, EVENTS_A_RUN, load_before), encoding="utf-8")
    print(f"Written to {PAGE.relative_to(ROOT)}.")
    return 0


def measure(there: Service, database: int, workers: int, seconds: float) -> Worker:
    """The three loads one after the other, and the connections that were open meanwhile."""
    load(there.address, there.pid, 2, known(), gzip=True)
    with watched(there.database) as open_connections:
        asked_before = rate(there, database, seconds, known())
        new = rate(there, database, seconds, list(fresh(NEW_QUESTIONS, start=workers * NEW_QUESTIONS)))
        used = cpu_seconds(there.pid), cpu_seconds(database)
        lines = loaded(there, Asked(), 0.0, "a")
        used = cpu_seconds(there.pid) - used[0], cpu_seconds(database) - used[1]
    of_lines = Rate(lines.wanted / lines.seconds, lines.p99_ms, used[0] / lines.seconds, used[1] / lines.seconds)
    return Worker(workers, asked_before, new, of_lines, max(open_connections))


def rate(there: Service, database: int, seconds: float, questions: list[dict[str, object]]) -> Rate:
    """Requests a second of `wrk` with the cores that the service and the database used. Failures end it."""
    used = cpu_seconds(database)
    found = load(there.address, there.pid, seconds, questions, gzip=True)
    used = cpu_seconds(database) - used
    if found.failed:
        raise SystemExit(f"{found.failed} requests failed: a rate with failures is none")
    return Rate(found.requests_per_s, found.p99_ms, found.service_cores, used / seconds)


@contextmanager
def watched(url: str) -> Iterator[list[int]]:
    """The number of the service's connections, asked four times a second."""
    from sqlalchemy import create_engine, text

    engine, over, seen = create_engine(url, connect_args={"application_name": "capacity"}), threading.Event(), [0]

    def watch() -> None:
        with engine.connect() as connection:
            while not over.wait(0.25):
                seen.append(connection.execute(text(CONNECTIONS_NOW)).scalar_one())
                connection.rollback()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
        engine.dispose()


def bytes_of(url: str) -> Bytes:
    """Bytes of a line with its indexes, after `ROWS` runs were added to what the loads left."""
    from sqlalchemy import create_engine, text

    from planner.ports import Event
    from planner.service.store.runs import RunStore

    engine = create_engine(url)
    with engine.connect() as connection:
        digest = connection.execute(text("SELECT digest FROM plans LIMIT 1")).scalar_one()
    runs = RunStore(engine)
    for _ in range(ROWS // EVENTS_A_RUN):
        run, _ = runs.ask(digest, "capacity", None)
        for number in range(EVENTS_A_RUN):
            event = Event("quantize", "running", f"layer {number} of {EVENTS_A_RUN}", number / EVENTS_A_RUN)
            runs.note(run.run_id, event)
    for _ in range(ROWS):
        runs.ask(digest, "capacity", None)

    def each(table: str) -> float:
        with engine.connect() as connection:
            size = text(f"SELECT pg_total_relation_size('{table}')::float / count(*) FROM {table}")
            return float(connection.execute(size).scalar_one())

    found = Bytes(each("plans"), each("runs"), each("run_events"), each("measurements"))
    engine.dispose()
    return found


def cpu_seconds(pid: int) -> float:
    """Of a process and its children."""
    import psutil

    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def version_of(url: str) -> str:
    from sqlalchemy import create_engine, text

    engine = create_engine(url)
    with engine.connect() as connection:
        found: str = connection.execute(text("SHOW server_version")).scalar_one()
    engine.dispose()
    return found.split()[0]


if __name__ == "__main__":
    sys.exit(main())
