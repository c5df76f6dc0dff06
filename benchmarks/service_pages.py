"""Every page in a real Chromium: first render, weight, console errors, what it asks of others, WCAG AA."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, sync_playwright

from planner.client import Client
from planner.request import Request as Question
from tests.pages.addresses import PAGES, PLANS

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
AA = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


@dataclass
class Look:
    """What one page did. `weight_bytes` as sent, with its style, script, lists and pictures."""

    name: str
    errors: list[str] = field(default_factory=list)
    asked_of_others: list[str] = field(default_factory=list)
    weight_bytes: int = 0
    first_render_ms: float = 0.0
    violations: int = 0

    def __str__(self) -> str:
        return (
            f"{self.name:14} first render {self.first_render_ms:5.0f} ms   {self.weight_bytes / 1000:6.1f} kB   "
            f"{len(self.errors)} console errors   {len(self.asked_of_others)} requests to others   "
            f"{self.violations} WCAG AA violations"
        )


def chromium() -> str | None:
    """Where Chromium is; None where it is not installed."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def filled(address: str, pages: dict[str, str] = PAGES) -> dict[str, str]:
    """The pages, and those of plans made for them."""
    with Client(address) as client:
        digests = [client.plan(Question(model=m, hardware=h)).digest.removeprefix("sha256:") for m, h in PLANS]
    query = "&".join(f"plan={digest}" for digest in digests)
    return {**pages, "compare": f"/compare?{query}", "cost": f"/cost?{query}&requests_per_s=2"}


def look_at_all(executable: str, address: str) -> Iterator[Look]:
    """Each page once, in the light and on a desk; contrast is checked in the dark, too."""
    pages = filled(address)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for name, where in pages.items():
            yield look_at(browser, address, name, where)
        browser.close()


def look_at(browser: Browser, address: str, name: str, where: str) -> Look:
    """One page, opened as a stranger would: nothing of it is in the browser yet."""
    look = Look(name)
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=address)
    page = context.new_page()
    page.on("console", lambda message: look.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: look.errors.append(str(error)))
    page.on("request", lambda request: _note_stranger(look, request, address))
    page.on("requestfinished", lambda request: _weigh(look, request))
    page.goto(where, wait_until="networkidle")
    look.first_render_ms = page.evaluate(FIRST_PAINT)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        look.violations += len(violations(page))
    context.close()
    # A refusal is what some pages are opened for; the browser calls its status an error.
    look.errors = [error for error in look.errors if "Failed to load resource" not in error]
    return look


def violations(page: Page, tags: Sequence[str] = AA) -> list[str]:
    """The rules of WCAG that a page breaks, by axe."""
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": list(tags)}})
    return [violation["id"] for violation in found.response["violations"]]


def _note_stranger(look: Look, request: Request, address: str) -> None:
    if not request.url.startswith((address, "data:")):
        look.asked_of_others.append(request.url)


def _weigh(look: Look, request: Request) -> None:
    look.weight_bytes += request.sizes()["responseBodySize"]
