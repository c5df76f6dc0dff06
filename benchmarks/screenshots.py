"""Pictures of every page, light, dark and on a phone: python benchmarks/screenshots.py --out DIR (needs Chromium).

With --run a real run is asked for as well (the demonstration model, on this CPU), and seen while it goes on and after.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.service_pages import chromium, filled
from planner.client import Client
from planner.ports import find_executor
from planner.request import Request, Workload

LOOKS = {
    "light": ("light", {"width": 1280, "height": 900}),
    "dark": ("dark", {"width": 1280, "height": 900}),
    "phone": ("light", {"width": 390, "height": 844}),
}
PORT = 8659
ADDRESS = f"http://127.0.0.1:{PORT}"
CLI = (sys.executable, "-m", "planner.cli.main")
RUN_ENDS_WITHIN_S = 900
# Not wait_for_function: it evaluates text in the page, which the pages' policy forbids.
PICTURES_ARE_HERE = """Promise.all([...document.images].filter((image) => !image.complete)
    .map((image) => new Promise((here) => { image.onload = image.onerror = here; })))"""


def main() -> int:
    """Serve, make a few plans, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    parser.add_argument("--run", action="store_true", help="carry the demonstration out, and take its pictures, too")
    given = parser.parse_args()
    executable = chromium()
    if executable is None:
        print("no Chromium on this machine; install the package `chromium`", file=sys.stderr)
        return 1
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        environment = {**os.environ, "QUANTPLAN_HOME": home}
        model = find_executor().demo_model()
        command = [*CLI, "serve", "--port", str(PORT), "--model-root", str(model.parent)]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
            try:
                wait_for(ADDRESS)
                take(browser, filled(ADDRESS), given.out)
                if given.run:
                    take_a_run(browser, str(model), environment, given.out)
            finally:
                browser.close()
                server.terminate()
    return 0


def take(browser: Browser, pages: Mapping[str, str], out: Path) -> None:
    """One picture a page and look."""
    for look, (scheme, size) in LOOKS.items():
        context = browser.new_context(color_scheme=scheme, viewport=size, base_url=ADDRESS)  # type: ignore[arg-type]
        page = context.new_page()
        for name, where in pages.items():
            page.goto(where, wait_until="load" if name == "run-live" else "networkidle")
            page.evaluate("window.scrollTo(0, document.body.scrollHeight)")  # pictures further down are loaded lazily
            page.evaluate(PICTURES_ARE_HERE)
            page.wait_for_timeout(500)
            page.screenshot(path=out / f"{name}-{look}.png", full_page=True)
            print(out / f"{name}-{look}.png")
        context.close()


def take_a_run(browser: Browser, model: str, environment: Mapping[str, str], out: Path) -> None:
    """A run of the demonstration model: in the middle, then with its findings."""
    create = [*CLI, "tokens", "create", "pictures", "--scope", "execute"]
    token = subprocess.run(create, env=environment, capture_output=True, text=True, check=True).stdout.strip()
    workload = Workload(input_tokens=128, output_tokens=64, concurrency=4)
    with Client(ADDRESS, token=token) as client:
        plan = client.plan(Request(model=model, hardware="cpu", workload=workload))
        run = client.start(plan)["run_id"]
        take(browser, {"run-start": f"/runs?plan={plan.digest.removeprefix('sha256:')}"}, out)
        while client.run(run)["state"] == "queued":
            time.sleep(1)
        take(browser, {"run-live": f"/runs/{run}"}, out)
        end = time.monotonic() + RUN_ENDS_WITHIN_S
        while client.run(run)["state"] in ("queued", "running") and time.monotonic() < end:
            time.sleep(2)
        take(browser, {"run-done": f"/runs/{run}", "runs-filled": "/runs"}, out)


def wait_for(address: str) -> None:
    """Until the service answers, half a minute at most."""
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/readyz", timeout=5).read()
            return
        except urllib.error.URLError:
            time.sleep(0.1)
    raise SystemExit("the service did not start")


if __name__ == "__main__":
    sys.exit(main())
