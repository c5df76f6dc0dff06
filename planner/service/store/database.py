"""The database: opened, brought to the newest shape, and asked in short transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from planner.errors import BadInput

MIGRATIONS = Path(__file__).with_name("migrations")
KINDS = ("sqlite", "postgresql")
FIX = "give sqlite:////path/to/file.db or postgresql+psycopg://user@host/database"


def open_database(url: str) -> Engine:
    """The database at a URL, migrated. BadInput when it is none that the service can use, or cannot be reached."""
    engine = create_engine(_checked(url), **_options(url))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    try:
        migrate(engine)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise BadInput(f"cannot open the database: {reason}", where=_shown(url), fix=FIX) from None
    return engine


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest shape; two services that start at once wait for each other."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(845123)")
        command.upgrade(config, "head")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: all of its statements are kept, or none.

    SQLite is told to begin one (its driver does not), and to wait for its turn before the first statement reads.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def _checked(url: str) -> str:
    try:
        kind = make_url(url).get_backend_name()
    except ArgumentError:
        raise BadInput("not a database URL", where=_shown(url), fix=FIX) from None
    if kind not in KINDS:
        raise BadInput(f"a {kind} database is not supported", where=_shown(url), nearest=KINDS, fix=FIX)
    if kind == "sqlite" and (file := make_url(url).database):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    return url


def _options(url: str) -> dict[str, Any]:
    if make_url(url).get_backend_name() == "postgresql":
        return {"pool_pre_ping": True, "pool_size": 8}
    return {"connect_args": {"timeout": 30}}


def _tune_sqlite(connection: Any, record: object) -> None:
    """Readers beside one writer; a commit survives the death of the process; foreign keys are checked."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def _shown(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "the database URL"
