"""A real service on a port of its own, and a real Chromium that looks at it."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from planner.client import Client
from planner.request import Request
from tests.pages.addresses import PLANS

START_S = 30.0
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `quantplan serve`, with a few plans made."""
    home = tmp_path_factory.mktemp("home")
    port_file = home / "log"
    environment = {**os.environ, "QUANTPLAN_HOME": str(home)}
    command = [sys.executable, "-m", "planner.cli.main", "serve", "--port", "0"]
    with port_file.open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        address = _address(port_file, process)
        with Client(address) as client:
            for model, hardware in PLANS:
                client.plan(Request(model=model, hardware=hardware))
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=START_S)


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Where the service listens, once it answers."""
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if "Uvicorn running on " in line:
                address = line.split("Uvicorn running on ")[1].split(" ")[0]
                try:
                    urllib.request.urlopen(f"{address}/readyz", timeout=5).read()
                except urllib.error.URLError:
                    break
                return address
        time.sleep(0.05)
    raise AssertionError(f"the service did not start: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium; skipped where there is none. Its event loop ends with the module: others run their own."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; install the package `chromium` to look at the pages")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
