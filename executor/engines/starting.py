"""Start a server as a tracked child and wait until it answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from executor.engines.engine import HOST, Engine
from executor.engines.footprint import read_cpu_clock
from executor.engines.ports import free_port, port_taken, require_free
from executor.processes import Process, Processes, ToolFailed, tool_failed
from executor.toolchains import Toolchains
from planner.launching.serving import Serving

TRIES = 3  # a free port can be taken between finding and using it
POLL_S = 0.1
LOOK_S = 0.5
IDLE_CORES = 0.05
READY_WITHIN_S = 600.0


class NotReady(ToolFailed):
    """A server that still ran and did not get ready in time, though its log says nothing of a failure."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answered its health check `ready_s` seconds after it was started."""

    process: Process
    port: int
    ready_s: float
    host: str = HOST

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one server. `port` None takes any free one; `ready_within_s` bounds its start and the loading.

    `environment` is the plan's; the engine's own (offline, no usage reports) comes on top. `host` is
    the address it listens at.
    """

    engine: Engine
    model: Path
    arguments: Sequence[str]
    log_path: Path
    name: str = "model"
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    ready_within_s: float = READY_WITHIN_S
    host: str = HOST

    def serving(self, port: int) -> Serving:
        return Serving(self.model, self.name, tuple(self.arguments), port, self.host)


def start_server(
    launch: Launch, toolchains: Toolchains, processes: Processes, on_wait: Callable[[str], None]
) -> RunningServer:
    """ExecutionFailed when the given port is taken or the server ends while it starts; NotReady when it hangs."""
    if launch.port is not None:
        require_free(launch.port, launch.host)
    program = launch.engine.program(toolchains)
    environment = {**launch.environment, **launch.engine.environment}
    for _ in range(TRIES):
        port = launch.port or free_port()
        command = [*program, *launch.engine.arguments(launch.serving(port))]
        process = processes.start(command, log_path=launch.log_path, env=environment)
        started = time.monotonic()
        if _ready(process, f"http://{launch.host}:{port}", launch.ready_within_s, on_wait):
            return RunningServer(process, port, time.monotonic() - started, launch.host)
        hung = f"was not ready in {launch.ready_within_s:.0f} s; it {doing(process)}" if process.running else ""
        status = processes.stop(process)
        if hung:
            raise not_ready(tool_failed(process, f"the server {hung}"))
        if not launch.engine.port_was_taken(process.output()):
            raise tool_failed(process, f"the server ended while it started, with exit status {status}")
    raise port_taken(port)


def not_ready(failed: ToolFailed) -> NotReady:
    return NotReady(failed.what, fix=failed.fix, exit_status=None)


def doing(process: Process) -> str:
    """Whether a server computes or waits, by the processor time of its tree: the first thing to know of a hang."""
    before = read_cpu_clock(process.pid).tree_s
    time.sleep(LOOK_S)
    cores = (read_cpu_clock(process.pid).tree_s - before) / LOOK_S
    return f"was computing ({cores:.1f} cores)" if cores > IDLE_CORES else "was waiting, with no core busy"


def _ready(process: Process, url: str, within_s: float, on_wait: Callable[[str], None]) -> bool:
    """True once /health answers 200; False when the process ends first or time runs out."""
    deadline = time.monotonic() + within_s
    while process.running and time.monotonic() < deadline:
        if _healthy(url):
            return process.running
        on_wait("waiting for the server to load the model")
        time.sleep(POLL_S)
    return False


def _healthy(url: str) -> bool:
    import httpx

    try:
        return httpx.get(f"{url}/health", timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
