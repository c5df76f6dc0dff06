"""The sheets a finance person changes: the terms, and each plan's price, layout and speed."""

from __future__ import annotations

from typing import Any

from planner.costs.case import Case
from planner.costs.comparison import Comparison
from planner.costs.formula import HOURS_PER_MONTH, HOURS_PER_YEAR
from planner.costs.owning import Ownership
from planner.costs.report.cells import Book, Page, at

EXAMPLE_LOAD = 1.0
FIRST_ROW = 3
LABEL, NAME, A_COPY, COPIES, PRICE, CHEAPEST, DEAREST, SPEED, SLOW, FAST, SHARE = range(11)
PURCHASE = 17
PLAN_COLUMNS = (
    "plan", "what", "accelerators a copy", "copies the plan starts", "USD an hour of one", "cheapest provider's",
    "dearest provider's", "output tokens/s", "at the low end", "at the high end", "share of time reading prompts",
    "kind", "provider", "as of", "price from", "speed from", "in flight",
)  # fmt: skip
PLAN_WIDTHS = (6, 52, 12, 11, 11, 11, 11, 11, 11, 11, 12, 12, 16, 12, 46, 46, 9)
OWNED_COLUMNS = ("purchase USD of one", "residual USD", "years", "kW", "PUE", "USD per kWh", "hosting USD a month")


def inputs_sheet(book: Book, sheet: Any, comparison: Comparison) -> None:
    """The terms, each a named cell that the formulas use."""
    page, terms = book.page(sheet), comparison.terms
    api, workload = terms.api, comparison.cases[0].workload
    page.heading("Inputs", "Change the blue cells; everything else follows. All amounts are US dollars (USD).")
    load = terms.requests_per_s or EXAMPLE_LOAD
    load_note = "" if terms.requests_per_s else "no load was given: an example"
    cached_price = (api.cached_input if api.cached_input is not None else api.input) if api else None
    lines: list[tuple[str, str, float | None, str, str]] = [
        ("Load", "requests a second", load, "number", load_note),
        ("Utilisation", "no copy is planned busier than", terms.utilisation, "share", "more than 0, at most 100 %"),
        ("TokensIn", "tokens in, a request", workload.input_tokens, "whole", "the speeds hold for these lengths only"),
        (
            "TokensOut",
            "tokens out, a request",
            workload.output_tokens,
            "whole",
            "the speeds hold for these lengths only",
        ),
        ("CachedShare", "share of the prompt found in the prefix cache", terms.cached_share, "share", ""),
        ("ApiInput", "API: USD per 1M input tokens", api.input if api else None, "usd", "leave empty for no API"),
        ("ApiCached", "API: USD per 1M cached input tokens", cached_price, "usd", ""),
        ("ApiOutput", "API: USD per 1M output tokens", api.output if api else None, "usd", ""),
        ("HoursPerMonth", "hours a month", HOURS_PER_MONTH, "whole", "8,760 / 12, always on"),
        ("SpeedCase", "speed: 1 low end, 2 as predicted or measured, 3 high end", 2, "whole", "of the 90 % interval"),
        (
            "PriceCase",
            "price: 1 cheapest provider, 2 the one chosen, 3 dearest",
            2,
            "whole",
            "of the same, rented alike",
        ),
    ]
    for column, characters in enumerate((58, 14, 46)):
        page.width(column, characters)
    for row, (name, says, value, look, note) in enumerate(lines, FIRST_ROW):
        page.text(row, 0, says)
        page.number(row, 1, value, f"{look} input")
        page.text(row, 2, note, "note")
        book.name(name, "Inputs", row, 1)
        if name.endswith("Case"):
            sheet.data_validation(row, 1, row, 1, {"validate": "list", "source": [1, 2, 3]})
        if name == "Utilisation":
            allowed = {"validate": "decimal", "criteria": "between", "minimum": 0.01, "maximum": 1}
            sheet.data_validation(row, 1, row, 1, allowed)
    row = FIRST_ROW + len(lines) + 1
    request = "(TokensIn*((1-CachedShare)*ApiInput+CachedShare*ApiCached)+TokensOut*ApiOutput)/1000000"
    page.text(row, 0, "API: USD a request")
    asked = api.usd_per_request(workload, terms.cached_share) if api else None
    page.formula(row, 1, f'=IF(ApiOutput="","",{request})', asked, "usd-tiny")
    book.name("ApiRequest", "Inputs", row, 1)


def plans_sheet(book: Book, sheet: Any, comparison: Comparison) -> None:
    """One row a plan: its price (a sum where it is owned), layout and speed."""
    page = book.page(sheet)
    page.heading(
        "Plans", "One row a plan. Blue cells are inputs; a price of an owned machine is calculated at the right."
    )
    owned = any(case.hourly.kind == "owned" for case in comparison.cases)
    titles = PLAN_COLUMNS + (OWNED_COLUMNS if owned else ())
    page.header(FIRST_ROW - 1, titles, PLAN_WIDTHS + ((12,) * len(OWNED_COLUMNS) if owned else ()))
    for row, case in enumerate(comparison.cases, FIRST_ROW):
        _plan(page, row, case)


def _plan(page: Page, row: int, case: Case) -> None:
    hourly, span = case.hourly, case.throughput.span
    page.text(row, LABEL, case.label)
    page.text(row, NAME, case.name)
    page.number(row, A_COPY, case.accelerators_a_copy, "whole input")
    page.number(row, COPIES, case.copies, "whole input")
    _price(page, row, case)
    if len(hourly.others) > 1:
        page.number(row, CHEAPEST, hourly.others[0].usd_per_hour, "usd-small input")
        page.number(row, DEAREST, hourly.others[-1].usd_per_hour, "usd-small input")
    else:
        for column in (CHEAPEST, DEAREST):
            page.formula(row, column, f"={at(row, PRICE)}", hourly.usd_per_hour, "usd-small")
    for column, value in ((SPEED, span.value), (SLOW, span.low), (FAST, span.high)):
        page.number(row, column, value, "number input")
    page.number(row, SHARE, case.prompt_share, "share input")
    words = (hourly.kind, hourly.provider, hourly.as_of, hourly.provenance, case.throughput.source)
    for column, text in enumerate(words, SHARE + 1):
        page.text(row, column, text)
    page.number(row, PURCHASE - 1, case.workload.concurrency, "whole")


def _price(page: Page, row: int, case: Case) -> None:
    owned: Ownership | None = case.hourly.ownership
    if owned is None:
        page.number(row, PRICE, case.hourly.usd_per_hour, "usd-small input")
        return
    values = (
        owned.purchase_usd, owned.residual_usd, owned.years, owned.watts / 1000, owned.pue, owned.usd_per_kwh,
        owned.hosting_usd_per_month,
    )  # fmt: skip
    for column, value in enumerate(values, PURCHASE):
        page.number(row, column, value, "number input")
    bought, resale, years, kw, pue, electricity, hosting = (at(row, PURCHASE + n) for n in range(len(values)))
    sums = f"=({bought}-{resale})/({years}*{HOURS_PER_YEAR})+{kw}*{pue}*{electricity}+{hosting}/HoursPerMonth"
    page.formula(row, PRICE, sums, case.hourly.usd_per_hour, "usd-small")
