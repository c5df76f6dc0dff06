"""The application: every part in its place, and nothing done at import."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from threading import Thread

from anyio import to_thread
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, multiprocess
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from planner import __version__
from planner.service import document, failing
from planner.service.answering import Answering
from planner.service.api import catalogue, clusters, costs, fits, health, measurements
from planner.service.api import plans as plan_addresses
from planner.service.api import rules as rule_addresses
from planner.service.api import runs as run_addresses
from planner.service.clusters.desk import Desk
from planner.service.guarding import Guard
from planner.service.observing import Figures, Observer
from planner.service.pages import (
    asking,
    checking,
    comparing,
    costing,
    fitting,
    laying,
    placing,
    reading,
    rendering,
    running,
)
from planner.service.parts import Parts
from planner.service.problems import Problem
from planner.service.recording import Recorder
from planner.service.runs.supervisor import Supervisor
from planner.service.settings import Settings
from planner.service.store.database import open_database
from planner.service.store.plans import PlanStore
from planner.service.store.runs import RunStore
from planner.service.store.tokens import TokenStore
from planner.service.warming import warm, warm_the_rest

VERSIONED = (
    plan_addresses.router,
    fits.router,
    costs.router,
    clusters.router,
    catalogue.router,
    rule_addresses.router,
    run_addresses.router,
    measurements.router,
)
PAGES = (rendering, asking, fitting, comparing, costing, placing, laying, running, checking, reading)
COMPRESSED_FROM_BYTES = 2048
ABOUT = "Decides how to serve a language model on given GPUs, does it, and proves the decision right."


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service for these settings, its database open and migrated. BadInput when a setting cannot be used."""
    settings = settings or Settings()
    app = FastAPI(
        title="quantplan", version=__version__, description=ABOUT, openapi_url="/v1/openapi.json",
        docs_url=None, redoc_url=None, lifespan=_lifespan, responses={"default": {"model": Problem}},
    )  # fmt: skip
    app.state.parts = parts = assembled(settings)
    failing.install(app)
    document.install(app)
    for noun in VERSIONED:
        app.include_router(noun, prefix="/v1")
    app.include_router(health.router)
    for page in PAGES:
        app.include_router(page.router)
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=4)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.allowed_hosts)
    app.add_middleware(
        Guard,
        max_body_bytes=settings.max_body_bytes,
        body_seconds=settings.body_seconds,
        requests_per_minute=settings.requests_per_minute,
    )
    app.add_middleware(Observer, figures=parts.figures)
    return app


def assembled(settings: Settings) -> Parts:
    """The parts for these settings, none of them started."""
    registry, engine = CollectorRegistry(), open_database(settings.database_url)
    plans, runs = PlanStore(engine), RunStore(engine)
    return Parts(
        settings=settings,
        engine=engine,
        plans=plans,
        runs=runs,
        tokens=TokenStore(engine),
        recorder=Recorder(engine),
        answering=Answering(settings, plans),
        desk=Desk(settings),
        supervisor=Supervisor(runs, settings.database_url),
        figures=Figures(registry),
        registry=_registry(registry),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Warm up, take up runs that an earlier service left, and let go at the end; the runs themselves go on."""
    answering = app.state.parts.answering
    await to_thread.run_sync(warm, answering)
    Thread(target=warm_the_rest, args=(answering,), name="warm-the-rest", daemon=True).start()
    app.state.parts.supervisor.start()
    yield
    app.state.parts.supervisor.stop()
    app.state.parts.engine.dispose()


def _registry(own: CollectorRegistry) -> Callable[[], CollectorRegistry]:
    """The registry to show: this process's, or that of all workers where Prometheus's folder is named."""

    def shown() -> CollectorRegistry:
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return own
        everybody = CollectorRegistry()
        multiprocess.MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]
        return everybody

    return shown
