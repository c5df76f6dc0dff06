"""Plans as the service keeps them: by digest, and by the question they answer."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from planner.plan import Plan
from planner.service.store.database import writing
from planner.service.store.tables import plans


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One plan in a list."""

    digest: str
    model: str
    hardware: str
    choice: str
    created_at: float


@dataclass(frozen=True, slots=True)
class PlanStore:
    """Plans in the database. `asked` identifies a question together with what it was answered from."""

    engine: Engine

    def answer_to(self, asked: str) -> tuple[str, str] | None:
        """Digest and JSON of the plan that answers a question already; None when there is none."""
        query = select(plans.c.digest, plans.c.body).where(plans.c.asked == asked).order_by(plans.c.created_at).limit(1)
        with self.engine.connect() as connection:
            row = connection.execute(query).first()
        return (row.digest, row.body) if row else None

    def keep(self, plan: Plan, body: str, asked: str) -> None:
        """Keep a plan; once it returns, the plan outlives the process."""
        row = {
            "digest": plan.digest,
            "asked": asked,
            "model": plan.model.name,
            "hardware": plan.hardware.label,
            "choice": f"{plan.chosen.format} on {plan.chosen.engine}",
            "created_at": time.time(),
            "body": body,
        }
        try:
            with writing(self.engine) as connection:
                connection.execute(insert(plans).values(row))
        except IntegrityError:  # the same plan, kept by another worker meanwhile
            return

    def body(self, digest: str) -> str | None:
        """The JSON of one plan; None when it is unknown."""
        with self.engine.connect() as connection:
            return connection.execute(select(plans.c.body).where(plans.c.digest == digest)).scalar_one_or_none()

    def newest(self, limit: int, offset: int) -> list[PlanLine]:
        """Plans newest first."""
        columns = (plans.c.digest, plans.c.model, plans.c.hardware, plans.c.choice, plans.c.created_at)
        query = select(*columns).order_by(plans.c.created_at.desc()).limit(limit).offset(offset)
        with self.engine.connect() as connection:
            return [PlanLine(*row) for row in connection.execute(query)]
