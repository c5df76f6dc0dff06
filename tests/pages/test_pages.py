"""The pages in a real browser: whole, quiet, light, readable, usable by keyboard and on a phone, offline."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.pages.addresses import PAGES

HEAVIEST_BYTES = 500_000
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}
AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


@dataclass
class Seen:
    """What a page did while it was looked at."""

    page: Page
    errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    bytes: int = 0


@contextmanager
def opened(
    browser: Browser, service: str, address: str, *, scheme: str = "light", size: dict[str, int] = DESK
) -> Iterator[Seen]:
    context = browser.new_context(color_scheme=scheme, viewport=size, base_url=service)  # type: ignore[arg-type]
    seen = Seen(context.new_page())
    seen.page.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
    seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
    seen.page.on(
        "request",
        lambda request: None if request.url.startswith((service, "data:")) else seen.asked.append(request.url),
    )
    seen.page.on("requestfinished", lambda request: _add(seen, request.sizes()["responseBodySize"]))
    seen.page.goto(address, wait_until="networkidle")
    try:
        yield seen
    finally:
        context.close()


def _add(seen: Seen, size: int) -> None:
    seen.bytes += size


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_light_and_needs_nobody_else(browser: Browser, service: str, name: str) -> None:
    with opened(browser, service, PAGES[name]) as seen:
        loud = [error for error in seen.errors if "Failed to load resource" not in error]
        assert loud == []
        assert [url for url in seen.asked if not url.startswith((service, "data:"))] == []
        assert 0 < seen.bytes < HEAVIEST_BYTES
        assert seen.page.locator("h1").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_meets_wcag_aa(browser: Browser, service: str, name: str, scheme: str) -> None:
    with opened(browser, service, PAGES[name], scheme=scheme) as seen:
        found = Axe().run(seen.page, options={"runOnly": {"type": "tag", "values": AA}}).response["violations"]
        assert [(violation["id"], [node["html"][:120] for node in violation["nodes"][:3]]) for violation in found] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_never_scrolls_sideways(browser: Browser, service: str, name: str) -> None:
    with opened(browser, service, PAGES[name], size=PHONE) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_asking_by_keyboard_alone(browser: Browser, service: str) -> None:
    with opened(browser, service, "/") as seen:
        page = seen.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.focus("#model")
        page.keyboard.type("llama-3.1-8b")
        page.keyboard.press("Tab")
        page.keyboard.type("1xL4")
        page.keyboard.press("Enter")
        page.wait_for_selector(".answer")
        assert re.search(r"[?&]model=llama-3.1-8b&on=1xL4$", page.url), "empty fields stay out of the address"
        assert "fp8" in page.locator(".choice").inner_text()
        assert page.locator(".tree li.taken").count() == 1
        page.locator("table.sortable a").first.click()
        page.wait_for_selector(".answer")
        assert "format=" in page.url


def test_the_lists_complete_what_is_typed(browser: Browser, service: str) -> None:
    with opened(browser, service, "/") as seen:
        assert seen.page.locator("#models option").count() > 200
        assert seen.page.locator("#gpus option[value='1xL4']").count() == 1


def test_a_table_sorts_both_ways(browser: Browser, service: str) -> None:
    with opened(browser, service, "/gpus") as seen:
        page = seen.page
        heading = page.get_by_role("columnheader", name="GB/s")
        heading.click()
        largest = page.locator("tbody tr td:nth-child(4)").first.inner_text()
        assert heading.get_attribute("aria-sort") == "descending"
        heading.press("Enter")
        smallest = page.locator("tbody tr td:nth-child(4)").first.inner_text()
        assert float(largest.replace(",", "")) > 100 * float(smallest.replace(",", "")) > 0


def test_rules_are_searched(browser: Browser, service: str) -> None:
    with opened(browser, service, "/rules") as seen:
        everything = seen.page.locator("article.rule:visible").count()
        seen.page.fill("#search-rules", "A.pitfall.12")
        assert 0 < seen.page.locator("article.rule:visible").count() < everything / 5


def test_plans_are_compared_and_their_cost_is_shown(browser: Browser, service: str) -> None:
    with opened(browser, service, "/compare") as seen:
        page = seen.page
        for box in page.locator("input[name=plan]").all()[:2]:
            box.check()
        page.get_by_role("button", name="Compare").click()
        page.wait_for_selector("svg.chart use.fill-0")
        assert page.locator("thead").first.locator("th").count() == 3
        page.get_by_role("link", name="What they cost").click()
        report = page.frame_locator("iframe.report")
        assert "what it costs" in report.locator("h1").inner_text()
        assert [error for error in seen.errors if "Content Security Policy" in error] == []


def test_the_report_downloads_in_every_form(service: str) -> None:
    plans = httpx.get(f"{service}/v1/plans").json()["items"]
    query = {"plan": [line["digest"] for line in plans[:2]], "requests_per_s": 2}
    starts = {"xlsx": b"PK", "csv": b"", "md": b"#", "html": b"<!doctype html>"}
    for form, start in starts.items():
        answer = httpx.get(f"{service}/v1/costs/report.{form}", params=query)
        assert answer.status_code == 200
        assert answer.content.startswith(start)
        assert len(answer.content) > 500


def test_a_hostile_name_is_shown_as_text(browser: Browser, service: str) -> None:
    with opened(
        browser, service, "/?model=%3Cscript%3Ealert(1)%3C/script%3E&on=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E"
    ) as seen:
        assert seen.page.locator("main script, main img").count() == 0
        assert "<script>alert(1)</script>" in seen.page.locator("[role=alert]").inner_text()


def test_a_fleet_is_asked_by_keyboard_and_its_line_is_named_when_wrong(browser: Browser, service: str) -> None:
    with opened(browser, service, "/fleet") as seen:
        page = seen.page
        page.focus("#cluster")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".answer")
        assert page.locator("svg.node").count() > 0
        assert "What one lost node does" in page.inner_text("main")
        page.fill("#cluster", page.input_value("#cluster").replace("gpus: 8", "gpu_count: 8"))
        page.focus("#models")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("[role=alert]")
        assert "cluster:5" in page.inner_text("[role=alert]")
        assert "gpu_count: 8" in page.input_value("#cluster"), "what was typed stays"


def test_on_the_way_back_the_fields_can_be_edited(browser: Browser, service: str) -> None:
    with opened(browser, service, "/") as seen:
        page = seen.page
        page.fill("#model", "llama-3.1-8b")
        page.fill("#on", "1xL4")
        page.keyboard.press("Enter")
        page.wait_for_selector(".answer")
        page.go_back()
        page.wait_for_selector("#model")
        assert page.locator("form.ask :disabled").count() == 0


def test_the_report_is_as_high_as_what_it_says(browser: Browser, service: str) -> None:
    digest = httpx.get(f"{service}/v1/plans").json()["items"][0]["digest"].removeprefix("sha256:")
    with opened(browser, service, f"/cost?plan={digest}") as seen:
        seen.page.wait_for_selector("iframe.report[style]")
        frame = seen.page.locator("iframe.report")
        inner = "(frame) => [frame.clientHeight, frame.contentDocument.documentElement.scrollHeight]"
        shown, whole = frame.evaluate(inner)
        assert shown >= whole > 1000
