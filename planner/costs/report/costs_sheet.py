"""The sheet with the answers: one row a plan, from price to dollar, every cell a formula over Inputs and Plans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from planner.costs.case import Case
from planner.costs.comparison import Comparison
from planner.costs.formula import SECONDS_PER_HOUR
from planner.costs.report import inputs_sheets as plans
from planner.costs.report.cells import Book, at

COSTS_ROW = 4
FIRST_COLUMN = 2
NEVER = "never"
UNKNOWN = "unknown"
COLUMNS = {
    "price": ("USD an hour of one", "usd-small"),
    "hour": ("USD an hour, the plan", "usd-small"),
    "rate": ("output tokens/s, the plan", "number"),
    "made": ("output tokens in an hour", "whole"),
    "whole": ("USD a request, nothing cached", "usd-tiny"),
    "request": ("USD a request", "usd-tiny"),
    "all": ("USD per 1M output, carrying all", "usd-small"),
    "input": ("USD per 1M input, apart", "usd-small"),
    "cached": ("USD per 1M cached input, apart", "usd-small"),
    "output": ("USD per 1M output, apart", "usd-small"),
    "blended": ("USD per 1M in and out", "usd-small"),
    "capacity": ("requests/s of a full copy", "number"),
    "copies": ("copies for the load", "whole"),
    "accelerators": ("accelerators", "whole"),
    "busy": ("busy", "share"),
    "month": ("USD a month", "usd-month"),
    "api": ("USD a month from the API", "usd-month"),
    "difference": ("more (less) than the API", "share"),
    "first": ("breaks even with the API at, requests/s", "number"),
    "always": ("cheaper at every load from, requests/s", "number"),
}
KEYS = tuple(COLUMNS)


def costs_sheet(book: Book, sheet: Any, comparison: Comparison) -> None:
    """Title, what it is for, and one row of formulas a plan."""
    page = book.page(sheet)
    page.heading(
        "What serving costs, in USD",
        "Every figure is a formula over the sheets Inputs and Plans; from left to right it goes from price to dollar.",
    )
    made = f"Made {comparison.today.isoformat()}; prices and speeds with their sources are on the sheet Plans."
    page.text(2, 0, made, "note")
    titles = ("plan", "what", *(title for title, _ in COLUMNS.values()))
    page.header(COSTS_ROW - 1, titles, (6, 50, *(13 for _ in COLUMNS)))
    for offset, case in enumerate(comparison.cases):
        row, plan_row = COSTS_ROW + offset, plans.FIRST_ROW + offset
        page.formula(row, 0, f"=Plans!{at(plan_row, plans.LABEL)}", case.label, "text")
        page.formula(row, 1, f"=Plans!{at(plan_row, plans.NAME)}", case.name, "text")
        formulas, values = formulas_of(plan_row, row), values_of(comparison, case)
        for column, (key, (_, look)) in enumerate(COLUMNS.items(), FIRST_COLUMN):
            page.formula(row, column, "=" + formulas[key], values[key], look)


def cost_cell(row: int, key: str, *, fixed: bool = False) -> str:
    """The address of one figure of one plan on this sheet."""
    return at(row, FIRST_COLUMN + KEYS.index(key), fixed=fixed)


def formulas_of(plan_row: int, row: int) -> dict[str, str]:
    """The formula of each column; each uses only inputs and columns to its left."""

    def plan(column: int) -> str:
        return f"Plans!{at(plan_row, column)}"

    def here(key: str) -> str:
        return cost_cell(row, key)

    return _token_formulas(plan, here) | _load_formulas(plan, here)


def _token_formulas(plan: Callable[[int], str], here: Callable[[str], str]) -> dict[str, str]:
    share = f"N({plan(plans.SHARE)})"
    apart = f'IF({plan(plans.SHARE)}="","{UNKNOWN}",{{}})'
    return {
        "price": f"CHOOSE(PriceCase,{plan(plans.CHEAPEST)},{plan(plans.PRICE)},{plan(plans.DEAREST)})",
        "hour": f"{here('price')}*{plan(plans.A_COPY)}*{plan(plans.COPIES)}",
        "rate": f"CHOOSE(SpeedCase,{plan(plans.SLOW)},{plan(plans.SPEED)},{plan(plans.FAST)})",
        "made": f"{here('rate')}*{SECONDS_PER_HOUR}*Utilisation",
        "whole": f"{here('hour')}/({here('made')}/TokensOut)",
        "request": f"{here('whole')}*(1-{share}*CachedShare)",
        "all": f"{here('request')}/TokensOut*1000000",
        "input": apart.format(f"{here('whole')}*{share}/TokensIn*1000000"),
        "cached": apart.format("0"),
        "output": apart.format(f"{here('whole')}*(1-{share})/TokensOut*1000000"),
        "blended": f"{here('request')}/(TokensIn+TokensOut)*1000000",
        "capacity": f"{here('rate')}/{plan(plans.COPIES)}/TokensOut/(1-{share}*CachedShare)",
    }


def _load_formulas(plan: Callable[[int], str], here: Callable[[str], str]) -> dict[str, str]:
    with_api = 'IF(ApiRequest="","",{})'
    unless_dearer = with_api.format(f'IF({here("request")}>=ApiRequest,"{NEVER}",{{}})')
    steps = f"MAX(1,ROUNDUP(1/(ApiRequest/{here('request')}-1)-0.000000001,0))"
    return {
        "copies": f"MAX(1,ROUNDUP(Load/({here('capacity')}*Utilisation)-0.000000001,0))",
        "accelerators": f"{here('copies')}*{plan(plans.A_COPY)}",
        "busy": f"Load/({here('copies')}*{here('capacity')})",
        "month": f"{here('accelerators')}*{here('price')}*HoursPerMonth",
        "api": with_api.format(f"Load*{SECONDS_PER_HOUR}*HoursPerMonth*ApiRequest"),
        "difference": with_api.format(f"{here('month')}/{here('api')}-1"),
        "first": unless_dearer.format(f"{here('price')}*{plan(plans.A_COPY)}/(ApiRequest*{SECONDS_PER_HOUR})"),
        "always": unless_dearer.format(f"{steps}*{here('first')}"),
    }


def values_of(comparison: Comparison, case: Case) -> dict[str, float | str | None]:
    """What the formulas give as the sheet is written, from the model itself."""
    terms, tokens, rate = comparison.terms, case.tokens, case.throughput.span.value
    taken = case.at_load(terms.requests_per_s or plans.EXAMPLE_LOAD)
    asked = comparison.api_month(terms.api, taken.requests_per_s) if terms.api else None
    found = comparison.break_evens.get(case.label)
    known = case.prompt_share is not None
    return {
        "price": case.hourly.usd_per_hour,
        "hour": case.usd_per_hour,
        "rate": rate,
        "made": rate * SECONDS_PER_HOUR * terms.utilisation,
        "whole": tokens.usd_per_request / (1 - case.saved_by_cache),
        "request": tokens.usd_per_request,
        "all": tokens.all_on_output,
        "input": tokens.input if known else UNKNOWN,
        "cached": tokens.cached_input if known else UNKNOWN,
        "output": tokens.output if known else UNKNOWN,
        "blended": tokens.blended,
        "capacity": case.requests_per_s_a_copy(),
        "copies": taken.copies,
        "accelerators": taken.accelerators,
        "busy": taken.busy,
        "month": taken.usd_per_month,
        "api": asked,
        "difference": taken.usd_per_month / asked - 1 if asked else None,
        "first": (found.first or NEVER) if found else None,
        "always": (found.always or NEVER) if found else None,
    }
