"""`quantplan serve`: the planner over HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.errors import BadInput, QuantplanError

if TYPE_CHECKING:
    from planner.service.settings import Settings

GET_SERVICE = "pip install 'quantplan[service]'"
SETTINGS_VARIABLE = "QUANTPLAN_SERVICE_SETTINGS"
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class ServiceMissing(QuantplanError):
    """The service's requirements are not installed."""

    exit_code = 5


@click.command("serve", short_help="Answer over HTTP: plans, fits, costs, runs, and pages.")
@click.option("--host", help="Address to listen on (127.0.0.1: this machine only).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (8642).")
@click.option(
    "--database", "database_url", help="sqlite:////path/file.db or postgresql+psycopg://... (an SQLite file)."
)
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that answer (1).")
@click.option("--rules", type=FOLDER, envvar="QUANTPLAN_RULES", help="House rules over the built-in book.")
@click.option("--model-root", "model_roots", type=FOLDER, multiple=True, help="Models may be read below this folder.")
@click.option("--allow-hub", is_flag=True, default=None, help="Look up hub ids (org/name) on the model hub.")
@click.option("--trusted-host", "trusted_hosts", multiple=True, help="Answer to this Host header, too.")
@click.option("--requests-per-minute", type=click.IntRange(1), help="Most requests of one client address (300,000).")
def command(**options: Any) -> None:
    """Serve the planner: an API under /v1, health and metrics.

    Planning is open to this machine. Executing always needs a token, and so does everything beyond loopback: make one
    with `quantplan tokens create`.
    """
    settings = settings_from({name: value for name, value in options.items() if value not in (None, ())})
    check_reach(settings)
    import uvicorn

    os.environ[SETTINGS_VARIABLE] = settings.model_dump_json()
    if settings.workers > 1:
        _share_metrics()
    _configure_logs()
    click.echo(f"Serving on http://{settings.host}:{settings.port} (API: /v1/openapi.json). Ctrl-C ends it.", err=True)
    uvicorn.run(
        "planner.cli.serve_command:app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
    )


def settings_from(options: dict[str, Any]) -> Settings:
    """The settings these options mean; beyond loopback nothing is open. ServiceMissing where it is not installed."""
    try:
        import alembic  # noqa: F401
        import fastapi  # noqa: F401
        import sqlalchemy  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ServiceMissing(f"the service is not installed ({error.name})", fix=GET_SERVICE) from None
    from planner.service.settings import Settings

    settings = Settings(**options)
    return settings.model_copy(update={"open_planning": settings.on_loopback})


def check_reach(settings: Settings) -> None:
    """BadInput for a service that others could reach and that has no token to ask them for."""
    if settings.on_loopback:
        return
    from planner.service.store.database import open_database
    from planner.service.store.tokens import TokenStore

    tokens = TokenStore(open_database(settings.database_url)).all()
    if not any(token.revoked_at is None for token in tokens):
        raise BadInput(
            f"--host {settings.host} lets other machines in, and there is no token to tell them apart",
            fix="make one: quantplan tokens create NAME --scope read --scope plan; or leave out --host",
        )


def app() -> Any:
    """The application for the settings that `serve` put into the environment; each worker makes its own."""
    from planner.service.app import create_app
    from planner.service.settings import Settings

    _configure_logs()
    return create_app(Settings.model_validate_json(os.environ[SETTINGS_VARIABLE]))


def _share_metrics() -> None:
    """Workers add up their figures through files in a folder that Prometheus's client looks after."""
    import tempfile

    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="quantplan-metrics-"))


def _configure_logs() -> None:
    import logging

    from planner.service.observing import JsonLines

    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
