"""On the node: what holds part of a copy for the server of another node, started beside it and ended with it."""

from __future__ import annotations

import os
import socket
import time

from executor.engines import engine_of
from executor.engines.ports import free_port
from executor.engines.starting import Launch
from executor.processes import Process, tool_failed
from executor.step import Result, StepContext
from executor.steps.earlier import model_to_serve

READY_WITHIN_S = 60.0
POLL_S = 0.1
RAY_HEAD = "RAY_ADDRESS"  # what Ray sets for its jobs: the head's own address, HOST:PORT


def start_worker(context: StepContext) -> Result:
    """{pid, log_path}, and where the server reaches it: a rank of vLLM, or a worker of llama.cpp's RPC."""
    return serve_rpc(context) if context.plan.chosen.engine == "llama.cpp" else serve_rank(context)


def serve_rpc(context: StepContext) -> Result:
    """{host, port, pid, log_path}: it listens at the node's own address alone, for RPC has no authentication."""
    program = context.toolchains.llama_cpp_rpc().worker
    host, port = context.stage.parameters["host"], free_port()
    threads = max(1, int(context.stage.parameters.get("cores") or 1))
    command = [program, "--host", host, "--port", str(port), "--threads", str(threads), "--device", "CPU"]
    process = context.processes.start(command, log_path=context.log_path)
    wait_until_it_listens(process, host, port)
    return {"host": host, "port": port, "pid": process.pid, "log_path": str(context.log_path)}


def serve_rank(context: StepContext) -> Result:
    """{pid, log_path}: a rank is ready when the server is, which waits for all of them."""
    parameters, engine = context.stage.parameters, engine_of(context.plan)
    launch = Launch(
        engine=engine,
        model=model_to_serve(context),
        arguments=[str(argument) for argument in parameters["arguments"]],
        log_path=context.log_path,
        name=context.plan.model.name,
    )
    command = [*engine.program(context.toolchains), *engine.arguments(launch.serving(free_port()))]
    environment = {**parameters.get("environment", {}), **engine.environment}
    process = context.processes.start(command, log_path=context.log_path, env=environment)
    return {"pid": process.pid, "log_path": str(context.log_path)}


def wait_until_it_listens(process: Process, host: str, port: int) -> None:
    """ToolFailed when it ends first, or takes too long."""
    deadline = time.monotonic() + READY_WITHIN_S
    while process.running and time.monotonic() < deadline:
        try:
            socket.create_connection((host, port), timeout=1.0).close()
            return
        except OSError:
            time.sleep(POLL_S)
    raise tool_failed(process, f"llama.cpp's RPC worker did not listen at {host}:{port}")


def own_address() -> str:
    """This node's address as the cluster's other nodes reach it: the one that it reaches the head from."""
    head, _, port = os.environ.get(RAY_HEAD, "127.0.0.1:6379").rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((head, int(port)))  # sends nothing: it only chooses the way
        address: str = probe.getsockname()[0]
    return address
