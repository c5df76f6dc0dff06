"""Ports of this machine's loopback address."""

from __future__ import annotations

import socket

from executor.engines.engine import HOST
from planner.errors import ExecutionFailed


def free_port() -> int:
    """A port that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(port: int, host: str = HOST) -> None:
    """ExecutionFailed when something listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise port_taken(port, host) from error


def port_taken(port: int, host: str = HOST) -> ExecutionFailed:
    return ExecutionFailed(
        f"port {port} is taken by another program",
        where=host,
        fix=f"stop what listens on it (`ss -ltnp 'sport = :{port}'` shows it), or leave the port out",
    )
