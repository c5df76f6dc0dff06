"""The sheet with the answers: one row a plan, from price to dollar, every cell a formula over Inputs and Plans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from planner.costs.case import AtLoad, Case
from planner.costs.comparison import Comparison
from planner.costs.report.cells import Book, at
from planner.costs.report.inputs_sheets import (
    A_COPY, CHEAPEST, COPIES, DEAREST, EXAMPLE_LOAD, FAST, FIRST_ROW, LABEL, NAME, PRICE, SHARE, SLOW, SPEED,
)  # fmt: skip

COSTS_ROW = 4
NEVER = "never"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title and look, its formula over this row, and the value it has now."""

    key: str
    title: str
    look: str
    formula: str
    value: float | str | None


def costs_sheet(book: Book, sheet: Any, comparison: Comparison) -> None:
    """Title, what it is for, and one row of formulas a plan."""
    page = book.page(sheet)
    page.heading(
        "What serving costs, in USD",
        "Every figure here is a formula over the sheets Inputs and Plans, from left to right from price to dollar.",
    )
    page.text(2, 0, f"Made {comparison.today.isoformat()}; prices and speeds with their sources on the sheet Plans.", "note")
    for offset, case in enumerate(comparison.cases):
        row = COSTS_ROW + offset
        columns = list(columns_of(comparison, case, FIRST_ROW + offset, row))
        if offset == 0:
            titles = ("plan", "what", *(column.title for column in columns))
            page.header(COSTS_ROW - 1, titles, (6, 50, *(13 for _ in columns)))
        page.formula(row, 0, f"=Plans!{at(FIRST_ROW + offset, LABEL)}", case.label, "text")
        page.formula(row, 1, f"=Plans!{at(FIRST_ROW + offset, NAME)}", case.name, "text")
        for number, column in enumerate(columns, 2):
            page.formula(row, number, column.formula, column.value, column.look)


def columns_of(comparison: Comparison, case: Case, plan_row: int, row: int) -> Iterator[Column]:
    """The columns in their order; each formula uses only inputs and columns to its left."""

    def plan(column: int) -> str:
        return f"Plans!{at(plan_row, column)}"

    def here(key: str) -> str:
        return at(row, 2 + KEYS.index(key))

    taken, tokens = _at_load(comparison, case), case.tokens
    api, found = comparison.terms.api, comparison.break_evens.get(case.label)
    asked = comparison.api_month(api, taken.requests_per_s) if api else None
    known = case.prompt_share is not None
    share = f"N({plan(SHARE)})"
    guarded = 'IF(ApiRequest="","",{})'
    yield Column("price", "USD an hour of one", "usd-small",
                 f"=CHOOSE(PriceCase,{plan(CHEAPEST)},{plan(PRICE)},{plan(DEAREST)})", case.hourly.usd_per_hour)  # fmt: skip
    yield Column("hour", "USD an hour, the plan", "usd-small", f"={here('price')}*{plan(A_COPY)}*{plan(COPIES)}", case.usd_per_hour)
    yield Column("rate", "output tokens/s, the plan", "number",
                 f"=CHOOSE(SpeedCase,{plan(SLOW)},{plan(SPEED)},{plan(FAST)})", case.throughput.span.value)  # fmt: skip
    yield Column("made", "output tokens in an hour", "whole", f"={here('rate')}*3600*Utilisation",
                 case.throughput.span.value * 3600 * comparison.terms.utilisation)  # fmt: skip
    yield Column("whole", "USD a request, nothing cached", "usd-tiny", f"={here('hour')}/({here('made')}/TokensOut)",
                 tokens.usd_per_request / (1 - case.saved_by_cache))  # fmt: skip
    yield Column("request", "USD a request", "usd-tiny", f"={here('whole')}*(1-{share}*CachedShare)", tokens.usd_per_request)
    yield Column("all", "USD per 1M output, carrying all", "usd-small", f"={here('request')}/TokensOut*1000000", tokens.all_on_output)
    yield Column("input", "USD per 1M input, apart", "usd-small",
                 f'=IF({plan(SHARE)}="","unknown",{here("whole")}*{share}/TokensIn*1000000)',
                 tokens.input if known else "unknown")  # fmt: skip
    yield Column("cached", "USD per 1M cached input, apart", "usd-small", f'=IF({plan(SHARE)}="","unknown",0)',
                 tokens.cached_input if known else "unknown")  # fmt: skip
    yield Column("output", "USD per 1M output, apart", "usd-small",
                 f'=IF({plan(SHARE)}="","unknown",{here("whole")}*(1-{share})/TokensOut*1000000)',
                 tokens.output if known else "unknown")  # fmt: skip
    yield Column("blended", "USD per 1M in and out", "usd-small", f"={here('request')}/(TokensIn+TokensOut)*1000000", tokens.blended)
    yield Column("capacity", "requests/s of a full copy", "number",
                 f"={here('rate')}/{plan(COPIES)}/TokensOut/(1-{share}*CachedShare)", case.requests_per_s_a_copy())  # fmt: skip
    yield Column("copies", "copies for the load", "whole",
                 f"=MAX(1,ROUNDUP(Load/({here('capacity')}*Utilisation)-0.000000001,0))", taken.copies)  # fmt: skip
    yield Column("accelerators", "accelerators", "whole", f"={here('copies')}*{plan(A_COPY)}", taken.accelerators)
    yield Column("busy", "busy", "share", f"=Load/({here('copies')}*{here('capacity')})", taken.busy)
    yield Column("month", "USD a month", "usd-month", f"={here('accelerators')}*{here('price')}*HoursPerMonth", taken.usd_per_month)
    yield Column("api", "USD a month from the API", "usd-month",
                 "=" + guarded.format("Load*3600*HoursPerMonth*ApiRequest"), asked)  # fmt: skip
    yield Column("difference", "more (less) than the API", "share", "=" + guarded.format(f"{here('month')}/{here('api')}-1"),
                 taken.usd_per_month / asked - 1 if asked else None)  # fmt: skip
    first = f"{here('price')}*{plan(A_COPY)}/(ApiRequest*3600)"
    never = f'IF({here("request")}>=ApiRequest,"{NEVER}",{{}})'
    yield Column("first", "breaks even with the API at, requests/s", "number",
                 "=" + guarded.format(never.format(first)), (found.first or NEVER) if found else None)  # fmt: skip
    steps = f"MAX(1,ROUNDUP(1/(ApiRequest/{here('request')}-1)-0.000000001,0))*{here('first')}"
    yield Column("always", "cheaper at every load from, requests/s", "number",
                 "=" + guarded.format(never.format(steps)), (found.always or NEVER) if found else None)  # fmt: skip


KEYS = ("price", "hour", "rate", "made", "whole", "request", "all", "input", "cached", "output", "blended", "capacity",
        "copies", "accelerators", "busy", "month", "api", "difference", "first", "always")  # fmt: skip


def _at_load(comparison: Comparison, case: Case) -> AtLoad:
    return comparison.unbounded(case, comparison.terms.requests_per_s or EXAMPLE_LOAD)
