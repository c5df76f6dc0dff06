"""Sees to it that every run that waits gets a runner: a process of its own, which outlives the service."""

from __future__ import annotations

import logging
import subprocess
import sys
from threading import Event, Thread

from planner.service.store.runs import RunStore

LOOK_EVERY_S = 5.0
log = logging.getLogger("quantplan.service.runs")


class Supervisor:
    """Looks for waiting runs when told to and every few seconds. Two supervisors may look at once: a claim decides."""

    def __init__(self, runs: RunStore, database_url: str) -> None:
        self.runs, self.database_url = runs, database_url
        self._wake, self._stop = Event(), Event()
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to look, in a thread of its own."""
        self._stop.clear()
        self._thread = Thread(target=self._look, name="run-supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more. Runners go on."""
        self._stop.set()
        self._wake.set()
        if self._thread:
            self._thread.join(timeout=LOOK_EVERY_S)

    def wake(self) -> None:
        """Look now: a run was asked for."""
        self._wake.set()

    def _look(self) -> None:
        while not self._stop.is_set():
            try:
                for run_id in self.runs.waiting():
                    self._ensure_runner(run_id)
            except Exception:
                log.exception("cannot look for waiting runs")
            self._wake.wait(LOOK_EVERY_S)
            self._wake.clear()

    def _ensure_runner(self, run_id: str) -> None:
        running = self._started.get(run_id)
        if running is not None and running.poll() is None:
            return
        self._started = {key: process for key, process in self._started.items() if process.poll() is None}
        command = [sys.executable, "-m", "planner.service.runs.runner", run_id]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
        assert process.stdin is not None
        process.stdin.write(self.database_url.encode())
        process.stdin.close()
        self._started[run_id] = process
