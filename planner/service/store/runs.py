"""Runs as the service keeps them: asked for once, carried out by one runner at a time, followed event by event."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from planner.ports import Event
from planner.service.store.database import writing
from planner.service.store.tables import plans, run_events, runs

STALE_S = 30.0
OPEN = ("queued", "running")


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run: queued, running, done, failed or stopped. Times in seconds since the epoch."""

    run_id: str
    plan_digest: str
    state: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    stop_requested: bool
    error: str | None


@dataclass(frozen=True, slots=True)
class EventLine:
    """One thing that happened in a run."""

    seq: int
    at: float
    step: str
    state: str
    message: str
    fraction: float | None


SHOWN = (
    runs.c.run_id, runs.c.plan_digest, runs.c.state, runs.c.created_at, runs.c.started_at, runs.c.ended_at,
    runs.c.stop_requested, runs.c.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunStore:
    """Runs in the database."""

    engine: Engine

    def ask(self, plan_digest: str, requested_by: str, idempotency_key: str | None) -> tuple[RunLine, bool]:
        """A new run, or the one asked for before with the same key; the flag says whether it is new."""
        run_id = uuid.uuid4().hex
        row = {
            "run_id": run_id,
            "plan_digest": plan_digest,
            "state": "queued",
            "created_at": time.time(),
            "stop_requested": 0,
            "requested_by": requested_by,
            "idempotency_key": idempotency_key,
        }
        try:
            with writing(self.engine) as connection:
                connection.execute(insert(runs).values(row))
        except IntegrityError:
            same = and_(runs.c.requested_by == requested_by, runs.c.idempotency_key == idempotency_key)
            with self.engine.connect() as connection:
                return _line(connection.execute(select(*SHOWN).where(same)).one()), False
        found = self.run(run_id)
        assert found is not None
        return found, True

    def run(self, run_id: str) -> RunLine | None:
        """One run; None when there is none of this id."""
        with self.engine.connect() as connection:
            row = connection.execute(select(*SHOWN).where(runs.c.run_id == run_id)).first()
        return _line(row) if row else None

    def newest(self, limit: int, offset: int) -> list[RunLine]:
        """Runs newest first."""
        query = select(*SHOWN).order_by(runs.c.created_at.desc()).limit(limit).offset(offset)
        with self.engine.connect() as connection:
            return [_line(row) for row in connection.execute(query)]

    def waiting(self) -> list[str]:
        """Runs that nobody carries out: queued ones, and ones whose runner fell silent."""
        with self.engine.connect() as connection:
            return list(connection.execute(select(runs.c.run_id).where(_free())).scalars())

    def claim(self, run_id: str, owner: str) -> str | None:
        """The plan's JSON when this runner may carry the run out; None when another does, or it has ended."""
        now = time.time()
        taken = {
            "state": "running",
            "owner": owner,
            "heartbeat_at": now,
            "started_at": func.coalesce(runs.c.started_at, now),
        }
        with writing(self.engine) as connection:
            if connection.execute(update(runs).where(runs.c.run_id == run_id, _free()).values(taken)).rowcount != 1:
                return None
            query = select(plans.c.body).join(runs, runs.c.plan_digest == plans.c.digest).where(runs.c.run_id == run_id)
            body: str = connection.execute(query).scalar_one()
            return body

    def beat(self, run_id: str, owner: str) -> str:
        """Say that the runner lives. Answers `go on`, `stop` when somebody asked for it, `lost` when it is not ours."""
        mine = and_(runs.c.run_id == run_id, runs.c.owner == owner, runs.c.state == "running")
        with writing(self.engine) as connection:
            if connection.execute(update(runs).where(mine).values(heartbeat_at=time.time())).rowcount != 1:
                return "lost"
            asked = connection.execute(select(runs.c.stop_requested).where(mine)).scalar_one()
        return "stop" if asked else "go on"

    def end(self, run_id: str, owner: str, state: str, error: str | None = None) -> None:
        """The run is done, failed or stopped."""
        mine = and_(runs.c.run_id == run_id, runs.c.owner == owner)
        with writing(self.engine) as connection:
            connection.execute(update(runs).where(mine).values(state=state, error=error, ended_at=time.time()))

    def request_stop(self, run_id: str) -> None:
        """Ask the runner to stop; a run that was not begun is stopped at once."""
        with writing(self.engine) as connection:
            connection.execute(update(runs).where(runs.c.run_id == run_id).values(stop_requested=1))
            queued = and_(runs.c.run_id == run_id, runs.c.state == "queued")
            connection.execute(update(runs).where(queued).values(state="stopped", ended_at=time.time()))

    def note(self, run_id: str, event: Event) -> None:
        """Keep one event of a run."""
        with writing(self.engine) as connection:
            last = select(func.coalesce(func.max(run_events.c.seq), 0)).where(run_events.c.run_id == run_id)
            seq = connection.execute(last).scalar_one() + 1
            row = {"run_id": run_id, "seq": seq, "at": time.time(), "step": event.step, "state": event.state}
            row |= {"message": event.message, "fraction": event.fraction}
            connection.execute(insert(run_events).values(row))

    def events(self, run_id: str, after: int, limit: int = 500) -> list[EventLine]:
        """The events of a run that follow a number."""
        wanted = and_(run_events.c.run_id == run_id, run_events.c.seq > after)
        columns = [run_events.c[name] for name in ("seq", "at", "step", "state", "message", "fraction")]
        query = select(*columns).where(wanted).order_by(run_events.c.seq).limit(limit)
        with self.engine.connect() as connection:
            return [EventLine(*row) for row in connection.execute(query)]


def _free() -> ColumnElement[bool]:
    """Queued, or running under a runner that has not been heard of for a while."""
    silent = and_(runs.c.state == "running", runs.c.heartbeat_at < time.time() - STALE_S)
    return or_(runs.c.state == "queued", silent)


def _line(row: Any) -> RunLine:
    return RunLine(**{**row._mapping, "stop_requested": bool(row.stop_requested)})
