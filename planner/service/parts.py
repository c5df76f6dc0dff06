"""What the service is made of, as every address finds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from planner.service.answering import Answering
from planner.service.clusters.desk import Desk
from planner.service.observing import Figures
from planner.service.recording import Recorder
from planner.service.runs.supervisor import Supervisor
from planner.service.settings import Settings
from planner.service.store.plans import PlanStore
from planner.service.store.runs import RunStore
from planner.service.store.tokens import TokenLine, TokenStore


@dataclass(frozen=True, slots=True)
class Parts:
    """One running service. `registry` gives the Prometheus figures to show; `verifying`: tokens being looked up now."""

    settings: Settings
    engine: Engine
    plans: PlanStore
    runs: RunStore
    tokens: TokenStore
    recorder: Recorder
    answering: Answering
    desk: Desk
    supervisor: Supervisor
    figures: Figures
    registry: Callable[[], CollectorRegistry]
    verifying: dict[str, asyncio.Future[TokenLine | None]] = field(default_factory=dict)


async def parts_of(request: Request) -> Parts:
    """The parts of the service that got this request."""
    return cast(Parts, request.app.state.parts)


Service = Annotated[Parts, Depends(parts_of)]
