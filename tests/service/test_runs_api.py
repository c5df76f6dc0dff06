"""Runs over HTTP: asked for once, carried out by one, followed, stopped, taken up again."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from planner.errors import ExecutionFailed, ExecutorMissing
from planner.plan import Plan
from planner.ports import Event
from planner.service.runs import runner
from planner.service.store.runs import STALE_S, RunStore
from planner.service.store.tables import runs as runs_table

Header = Callable[..., dict[str, str]]


class FakeExecutor:
    """Stands at the executor's port: tells two steps, then does what the test says."""

    def __init__(self, end: Callable[[], None] = lambda: None) -> None:
        self.end, self.applied = end, 0

    def apply(self, plan: Plan, *, on_event: Callable[[Event], None]) -> None:
        self.applied += 1
        on_event(Event("fetch", "running", "reading the model", 0.5))
        on_event(Event("fetch", "done", "read"))
        self.end()


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeExecutor]:
    fake = FakeExecutor()
    monkeypatch.setattr("planner.service.api.runs.find_executor", lambda: fake)
    monkeypatch.setattr(runner, "find_executor", lambda: fake)
    return fake


@pytest.fixture
def asked(client: TestClient, token: Header, executor: FakeExecutor) -> dict[str, Any]:
    plan = client.post("/v1/plans", json={"model": "llama-3.1-8b", "hardware": "1xL4"}).json()
    answer = client.post("/v1/runs", json={"plan": plan["digest"]}, headers=token("execute"))
    assert answer.status_code == 202
    found: dict[str, Any] = answer.json()
    return found


def store(client: TestClient) -> RunStore:
    found: RunStore = client.app.state.parts.runs  # type: ignore[attr-defined]
    return found


def carry_out(client: TestClient, run_id: str, owner: str = "me") -> int | None:
    body = store(client).claim(run_id, owner)
    return None if body is None else runner.carry_out(store(client), run_id, owner, Plan.model_validate_json(body))


def test_a_run_is_asked_for_carried_out_and_followed(client: TestClient, asked: dict[str, Any]) -> None:
    assert asked["state"] == "queued"
    assert carry_out(client, asked["run_id"]) == 0
    assert client.get(f"/v1/runs/{asked['run_id']}").json()["state"] == "done"
    told = client.get(f"/v1/runs/{asked['run_id']}/events").text
    assert told.count("event: progress") == 2
    assert told.endswith('event: end\ndata: {"state": "done"}\n\n')
    rest = client.get(f"/v1/runs/{asked['run_id']}/events", headers={"Last-Event-ID": "1"}).text
    assert json.loads(rest.split("data: ")[1].split("\n")[0])["seq"] == 2


def test_the_same_key_starts_one_run(client: TestClient, token: Header, executor: FakeExecutor) -> None:
    plan = client.post("/v1/plans", json={"model": "llama-3.1-8b", "hardware": "1xL4"}).json()
    headers = {**token("execute"), "Idempotency-Key": "monday"}
    first = client.post("/v1/runs", json={"plan": plan["digest"]}, headers=headers).json()
    again = client.post("/v1/runs", json={"plan": plan["digest"]}, headers=headers).json()
    assert first["run_id"] == again["run_id"]
    other = client.post("/v1/runs", json={"plan": plan["digest"]}, headers=token("execute")).json()
    assert other["run_id"] != first["run_id"]


def test_a_run_has_one_runner(client: TestClient, asked: dict[str, Any], executor: FakeExecutor) -> None:
    claims = []
    threads = [
        threading.Thread(target=lambda name=name: claims.append(store(client).claim(asked["run_id"], name)))  # type: ignore[misc]
        for name in "abcdefgh"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(claim is not None for claim in claims) == 1
    assert executor.applied == 0


def test_a_run_whose_runner_died_is_taken_up_again(client: TestClient, asked: dict[str, Any]) -> None:
    run_id, runs = asked["run_id"], store(client)
    assert runs.claim(run_id, "dead") is not None
    assert run_id not in runs.waiting()
    with runs.engine.begin() as connection:
        connection.execute(update(runs_table).values(heartbeat_at=runs_table.c.heartbeat_at - STALE_S - 1))
    assert runs.waiting() == [run_id]
    assert carry_out(client, run_id, "alive") == 0
    assert runs.beat(run_id, "dead") == "lost"


def test_a_failure_says_why(client: TestClient, asked: dict[str, Any], executor: FakeExecutor) -> None:
    def fail() -> None:
        raise ExecutionFailed("llama-server ended with 1", fix="see its log")

    executor.end = fail
    assert carry_out(client, asked["run_id"]) == 1
    run = client.get(f"/v1/runs/{asked['run_id']}").json()
    assert (run["state"], run["error"]) == ("failed", "llama-server ended with 1\nTo fix: see its log")


def test_a_stop_reaches_the_runner(
    client: TestClient, token: Header, asked: dict[str, Any], executor: FakeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BEAT_EVERY_S", 0.02)
    stop = client.post(f"/v1/runs/{asked['run_id']}/stop", headers=token("execute"))
    assert stop.json()["state"] == "stopped"
    assert store(client).claim(asked["run_id"], "late") is None


def test_a_running_run_is_interrupted(
    client: TestClient, asked: dict[str, Any], executor: FakeExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BEAT_EVERY_S", 0.02)

    def work() -> None:
        store(client).request_stop(asked["run_id"])
        threading.Event().wait(20)

    executor.end = work
    assert carry_out(client, asked["run_id"]) == 1
    assert client.get(f"/v1/runs/{asked['run_id']}").json()["state"] == "stopped"


def test_without_an_executor_the_answer_says_how_to_get_one(
    client: TestClient, token: Header, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise ExecutorMissing("no executor named 'local' is installed", fix="pip install 'quantplan[executor]'")

    monkeypatch.setattr("planner.service.api.runs.find_executor", missing)
    told = client.post("/v1/runs", json={"plan": "0" * 64}, headers=token("execute"))
    assert (told.status_code, told.json()["fix"]) == (501, "pip install 'quantplan[executor]'")


def test_an_unknown_plan_or_run(client: TestClient, token: Header, executor: FakeExecutor) -> None:
    assert client.post("/v1/runs", json={"plan": "0" * 64}, headers=token("execute")).status_code == 404
    assert client.get(f"/v1/runs/{'0' * 32}").json()["fix"] == "GET /v1/runs lists them"


def test_on_postgresql_too(make_client: Callable[..., TestClient], postgresql_url: str, executor: FakeExecutor) -> None:
    """Migrations, plans, tokens and runs on a real server."""
    client = make_client(database_url=postgresql_url)
    again = make_client(database_url=postgresql_url)
    plan = client.post("/v1/plans", json={"model": "llama-3.1-8b", "hardware": "1xL4"})
    assert again.get(plan.headers["location"]).content == plan.content
    tokens = client.app.state.parts.tokens  # type: ignore[attr-defined]
    headers = {"Authorization": f"Bearer {tokens.create('ci', ['execute'])}", "Idempotency-Key": "once"}
    asked = [client.post("/v1/runs", json={"plan": plan.json()["digest"]}, headers=headers).json() for _ in range(2)]
    assert asked[0]["run_id"] == asked[1]["run_id"]
    assert carry_out(client, asked[0]["run_id"]) == 0
    assert [event.seq for event in store(client).events(asked[0]["run_id"], 0)] == [1, 2]


def test_a_database_that_cannot_be_used(make_client: Callable[..., TestClient], tmp_path: Path) -> None:
    from planner.errors import BadInput

    with pytest.raises(BadInput, match="a mysql database is not supported"):
        make_client(database_url="mysql://u:secret@h/d")
    with pytest.raises(BadInput) as caught:
        make_client(database_url="postgresql+psycopg://u:secret@127.0.0.1:1/d")
    assert "secret" not in str(caught.value)


def test_the_page_of_a_run_tells_of_progress_only_how_far_it_came(client: TestClient, asked: dict[str, Any]) -> None:
    runs = store(client)
    runs.claim(asked["run_id"], "me")
    for share in (0.1, 0.5, 0.9):
        runs.note(asked["run_id"], Event("load-test", "running", f"{share:.0%} of the requests answered", share))
    runs.note(asked["run_id"], Event("load-test", "done", "all answered"))
    runs.end(asked["run_id"], "me", "done")
    page = client.get(f"/runs/{asked['run_id']}").text
    assert "90% of the requests answered" in page
    assert "all answered" in page
    assert "50% of the requests answered" not in page
