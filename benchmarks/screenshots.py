"""Pictures of every page, light, dark and on a phone: python benchmarks/screenshots.py --out DIR (needs Chromium)."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from planner.client import Client
from planner.request import Request
from tests.pages.addresses import PAGES, PLANS

LOOKS = {
    "light": ("light", {"width": 1280, "height": 900}),
    "dark": ("dark", {"width": 1280, "height": 900}),
    "phone": ("light", {"width": 390, "height": 844}),
}
PORT = 8659


def main() -> int:
    """Serve, make a few plans, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    out = parser.parse_args().out
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium on this machine; install the package `chromium`", file=sys.stderr)
        return 1
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "QUANTPLAN_HOME": home}
        command = [sys.executable, "-m", "planner.cli.main", "serve", "--port", str(PORT)]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
            try:
                take(chromium, f"http://127.0.0.1:{PORT}", out)
            finally:
                server.terminate()
    return 0


def take(chromium: str, address: str, out: Path) -> None:
    """One picture a page and look."""
    wait_for(address)
    with Client(address) as client:
        digests = [client.plan(Request(model=m, hardware=h)).digest.removeprefix("sha256:") for m, h in PLANS]
    query = "&".join(f"plan={digest}" for digest in digests)
    pages = {**PAGES, "compare": f"/compare?{query}", "cost": f"/cost?{query}&requests_per_s=2"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for look, (scheme, size) in LOOKS.items():
            context = browser.new_context(color_scheme=scheme, viewport=size, base_url=address)
            page = context.new_page()
            for name, where in pages.items():
                page.goto(where, wait_until="networkidle")
                page.screenshot(path=out / f"{name}-{look}.png", full_page=True)
                print(out / f"{name}-{look}.png")
            context.close()
        browser.close()


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
