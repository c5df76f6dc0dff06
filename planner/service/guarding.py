"""What stands before every address: limits of size, rate and time, and what keeps other sites' pages out."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from typing import Any

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planner.service.problems import MEDIA_TYPE

HEADERS = {
    b"content-security-policy": b"default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    b"object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
MOST_CLIENTS = 10_000
MINUTE_S = 60.0


class Guard:
    """ASGI middleware: adds the headers, and refuses what is too much.

    That is a body over `max_body_bytes` or slower than `body_seconds`, a client over its rate, a page of another site.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, body_seconds: float, requests_per_minute: int) -> None:
        self.app, self.max_body_bytes, self.body_seconds = app, max_body_bytes, body_seconds
        self.rate = Rate(requests_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wait_s = self.rate.take((scope.get("client") or ("?",))[0])
        if wait_s > 0:
            headers = {b"retry-after": str(max(1, round(wait_s))).encode()}
            await _refuse(send, scope, 429, "too-many-requests", "Too many requests", "slow down", headers)
            return
        if _is_of_another_site(scope):
            detail = "a page of another site asked for this; only a link to a page is followed from there"
            await _refuse(send, scope, 403, "cross-site", "Other sites may not ask", detail, {})
            return
        try:
            with anyio.fail_after(self.body_seconds):
                body = await self._body(scope, receive)
        except TimeoutError:
            detail = f"the body took longer than {self.body_seconds:g} s"
            await _refuse(send, scope, 408, "too-slow", "The request is too slow", detail, {b"connection": b"close"})
            return
        if body is None:
            detail = f"the body is larger than {self.max_body_bytes:,} bytes"
            await _refuse(send, scope, 413, "too-large", "The request is too large", detail, {})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = dict(message.get("headers", []))
                message = {**message, "headers": [*message.get("headers", []), *_missing(own)]}
            await send(message)

        await self.app(scope, _replay(body, receive), send_with_headers)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; None when it is over the limit, stated or not."""
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if not stated.isdigit() or int(stated) > self.max_body_bytes:
            return None
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.max_body_bytes:
                return None
        return body


def _is_of_another_site(scope: Scope) -> bool:
    """Whether a browser says that another site's page asks, and not for a page to be shown in its place."""
    headers = dict(scope["headers"])
    if headers.get(b"sec-fetch-site") != b"cross-site":
        return False
    return not (scope["method"] == "GET" and headers.get(b"sec-fetch-mode") == b"navigate")


def _missing(own: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """The headers an answer does not set itself."""
    return [(name, value) for name, value in HEADERS.items() if name not in own]


def _replay(body: bytes, receive: Receive) -> Receive:
    """Receives the body that was read, then whatever else the client sends."""
    told = False

    async def replayed() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


class Rate:
    """A token bucket for each client: `per_minute` requests a minute, a quarter of them at once."""

    def __init__(self, per_minute: int) -> None:
        self.per_s, self.burst = per_minute / MINUTE_S, max(1.0, per_minute / 4)
        self.buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Seconds until this client may ask; 0 when it may now."""
        now = time.monotonic()
        left, then = self.buckets.get(client, (self.burst, now))
        left = min(self.burst, left + (now - then) * self.per_s)
        self.buckets[client] = (max(left - 1, 0) if left >= 1 else left, now)
        self.buckets.move_to_end(client)
        if len(self.buckets) > MOST_CLIENTS:
            self.buckets.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self.per_s


async def _refuse(
    send: Send, scope: Scope, status: int, kind: str, title: str, detail: str, headers: dict[bytes, bytes]
) -> None:
    content: dict[str, Any] = {"type": f"/problems/{kind}", "title": title, "status": status, "detail": detail}
    body = json.dumps({**content, "instance": scope["path"], "where": "", "nearest": [], "fix": ""}).encode()
    all_headers = {
        b"content-type": MEDIA_TYPE.encode(),
        b"content-length": str(len(body)).encode(),
        **HEADERS,
        **headers,
    }
    await send({"type": "http.response.start", "status": status, "headers": list(all_headers.items())})
    await send({"type": "http.response.body", "body": body})
