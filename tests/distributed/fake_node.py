"""`executor.distributed.node` with small steps: its server, its load and its workers are fake, the rest is real.

As a program it takes lines `FOLDER<tab>MARKER<tab>RECORD` and carries each task out in a process of its own, whose id
it writes to RECORD: jobs that outlive whoever submitted them, without a Python to start for each.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from executor.deployments.health import is_healthy
from executor.distributed import node
from executor.engines.ports import free_port
from executor.step import Result, StepContext
from executor.steps.spec import StepSpec

MARKER = "QUANTPLAN_TEST"
SERVER = Path(__file__).parents[1] / "steps" / "fake_openai_server.py"


def serve(context: StepContext) -> Result:
    """A server that really answers. It says which model and arguments it was asked to serve."""
    parameters = context.stage.parameters
    port, host = parameters.get("port") or free_port(), parameters.get("host", "127.0.0.1")
    command = [sys.executable, SERVER, "--marker", os.environ[MARKER], "--port", str(port)]
    process = context.processes.start(command, log_path=context.log_path)
    url = f"http://{host}:{port}"
    while process.running and not is_healthy(url):
        time.sleep(0.02)
    asked = {"arguments": parameters.get("arguments", []), "model": context.results["fetch"].get("path")}
    return {"pid": process.pid, "url": url, "port": port, "log_path": str(context.log_path), **asked}


def load(context: StepContext) -> Result:
    """Requests, for a while."""
    for _ in range(10):
        if not is_healthy(context.results["launch"]["url"]):
            raise ConnectionError("the server does not answer")
        time.sleep(0.03)
    return {"tokens": 7}


def work(context: StepContext) -> Result:
    process = context.processes.start(["sh", "-c", "sleep 1000 & wait", os.environ[MARKER]], log_path=context.log_path)
    return {"host": "127.0.0.1", "port": 1, "pid": process.pid, "log_path": str(context.log_path)}


def carry_out(folder: str, marker: str, record: Path) -> None:
    """The task in a forked process, in a session of its own."""
    if pid := os.fork():
        aside = record.with_suffix(".aside")
        aside.write_text(json.dumps({"pid": pid}))
        aside.replace(record)
        return
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ[MARKER] = marker
    status = 1
    try:
        status = node.main(folder)
    finally:
        os._exit(status)


if __name__ == "__main__":
    node.STEPS.update({"launch": StepSpec(serve, ephemeral=True), "load-test": StepSpec(load, needs=("launch",))})
    node.WORKER = StepSpec(work, ephemeral=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        asked, its_marker, its_record = line.rstrip("\n").split("\t")
        carry_out(asked, its_marker, Path(its_record))
