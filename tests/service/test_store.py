"""The service's stores: every change whole or not at all, whoever writes beside it and whenever it is killed."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, func, insert, select
from sqlalchemy.exc import OperationalError

from planner.ports import Event
from planner.service.store.database import open_database, writing
from planner.service.store.runs import RunStore
from planner.service.store.tables import plans, run_events, tokens
from planner.service.store.tokens import TokenStore

PLAN = {
    "digest": "sha256:" + "0" * 64, "asked": "q", "model": "m", "hardware": "h", "choice": "c", "created_at": 0.0,
    "body": "{}",
}  # fmt: skip
KILLED = """
import os, signal, sys
from sqlalchemy import insert
from planner.service.store.database import open_database, writing
from planner.service.store.tables import plans
row = {"asked": "q", "model": "m", "hardware": "h", "choice": "c", "created_at": 0.0, "body": "{}"}
with writing(open_database(sys.argv[1])) as connection:
    connection.execute(insert(plans).values(digest="half", **row))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'service.db'}"


def with_a_run(engine: Engine) -> str:
    with writing(engine) as connection:
        connection.execute(insert(plans).values(**PLAN))
    return RunStore(engine).ask(PLAN["digest"], "somebody", None)[0].run_id


def count(engine: Engine, table: object) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]


def test_a_change_that_fails_in_the_middle_leaves_nothing(url: str) -> None:
    engine = open_database(url)
    with pytest.raises(RuntimeError, match="power cut"), writing(engine) as connection:
        connection.execute(insert(plans).values(**PLAN))
        raise RuntimeError("power cut")
    assert count(engine, plans) == 0


def test_a_process_killed_in_the_middle_of_a_change_leaves_nothing(url: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, url], env=os.environ, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    engine = open_database(url)
    assert count(engine, plans) == 0
    with_a_run(engine)
    assert count(engine, plans) == 1


def test_a_rotation_that_fails_keeps_the_old_token(url: str) -> None:
    engine = open_database(url)
    store = TokenStore(engine)
    old = store.create("ci", ["plan"])

    @event.listens_for(engine, "before_cursor_execute")
    def fail(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if statement.startswith("INSERT INTO tokens"):
            raise OperationalError(statement, None, Exception("disk full"))

    line = store.verify(old)
    assert line is not None
    with pytest.raises(OperationalError):
        store.rotate(line.token_id)
    event.remove(engine, "before_cursor_execute", fail)
    assert store.verify(old) is not None
    assert count(engine, tokens) == 1


def test_of_many_runners_on_two_services_one_claims(url: str) -> None:
    here, there = open_database(url), open_database(url)
    run_id = with_a_run(here)
    stores = [RunStore(here), RunStore(there)] * 8
    with ThreadPoolExecutor(16) as pool:
        claimed = list(pool.map(lambda n: stores[n].claim(run_id, f"runner-{n}"), range(16)))
    assert [body for body in claimed if body is not None] == ["{}"]


def test_events_told_at_once_are_numbered_without_a_gap(url: str) -> None:
    here, there = open_database(url), open_database(url)
    run_id = with_a_run(here)
    stores = (RunStore(here), RunStore(there))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: stores[n % 2].note(run_id, Event("quantize", "running", str(n))), range(80)))
    assert [line.seq for line in stores[0].events(run_id, 0)] == list(range(1, 81))
    assert count(here, run_events) == 80
