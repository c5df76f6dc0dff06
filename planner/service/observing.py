"""What an operator sees: a request id in every answer and log line, and Prometheus figures."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from contextvars import ContextVar
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
current_request: ContextVar[str] = ContextVar("current_request", default="-")
log = logging.getLogger("quantplan.service")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, message, request id, and what the call added as `extra={"fields": ...}`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "request_id": current_request.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)  # in ASCII: some readers of logs break a line at U+2028, too


class Figures:
    """What /metrics shows."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        self.requests = Counter("quantplan_http_requests", "Requests answered.", labels, registry=registry)
        self.seconds = Histogram(
            "quantplan_http_request_seconds",
            "Time to the end of an answer.",
            ("method", "route"),
            registry=registry,
            buckets=BUCKETS_S,
        )
        self.plans = Counter("quantplan_plans", "Plans answered.", ("how",), registry=registry)


class Observer:
    """ASGI middleware: gives the request its id, counts it, times it and logs it."""

    def __init__(self, app: ASGIApp, *, figures: Figures) -> None:
        self.app, self.figures = app, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        request_id = given.decode() if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        current_request.set(request_id)
        status, begun = 500, time.perf_counter()

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self.app(scope, receive, noting_send)
        finally:
            self._note(scope, status, time.perf_counter() - begun)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = _template(scope)
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        self.figures.requests.labels(method, route, str(status)).inc()
        self.figures.seconds.labels(method, route).observe(seconds)
        fields = {"method": method, "path": scope["path"], "status": status, "milliseconds": round(1000 * seconds, 2)}
        log.log(logging.WARNING if status >= 500 else logging.INFO, "answered", extra={"fields": fields})


def _template(scope: Scope) -> str:
    """The address as it is declared, with its parameters' names, so that there are few of them."""
    declared = str(getattr(scope.get("route"), "path", "(unknown)"))
    if scope["path"].startswith(f"{VERSION}/") and declared.startswith("/") and not declared.startswith(VERSION):
        return VERSION + declared  # FastAPI keeps the prefix of a router apart from its routes
    return declared


VERSION = "/v1"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
