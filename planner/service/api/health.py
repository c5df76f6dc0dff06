"""For whoever keeps the service running: alive, ready, and figures."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text

from planner import __version__
from planner.service.parts import Service
from planner.service.problems import Refused

router = APIRouter(tags=["health"])


@router.get("/healthz")
def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok", "version": __version__}


@router.get("/readyz")
def ready(service: Service) -> dict[str, object]:
    """The database answers and the rule book is sound."""
    try:
        with service.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except Exception as error:
        raise Refused(503, "not-ready", "Not ready", f"the database does not answer: {type(error).__name__}") from None
    rules = sum(len(chapter.rules) for chapter in service.answering.book.chapters.values())
    return {"status": "ok", "rules": rules}


@router.get("/metrics", include_in_schema=False)
def metrics(service: Service) -> Response:
    """Figures for Prometheus."""
    return Response(generate_latest(service.registry()), media_type=CONTENT_TYPE_LATEST)
