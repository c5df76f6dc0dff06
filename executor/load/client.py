"""The HTTP client of the load generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

REQUEST_TIMEOUT_S = 3600.0
CONNECT_TIMEOUT_S = 30.0


def open_client(url: str, concurrency: int | None) -> httpx.AsyncClient:
    """A client for so many requests at once (None: any number), each on a connection of its own.

    A kept connection may be closed by the server's idle timer while a request is on its way, which would count as an
    error of the server; a new one costs well under a millisecond on this machine.
    """
    import httpx

    most = None if concurrency is None else concurrency + 1
    return httpx.AsyncClient(
        base_url=url,
        limits=httpx.Limits(max_connections=most, max_keepalive_connections=0),
        timeout=httpx.Timeout(REQUEST_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        trust_env=False,
    )
