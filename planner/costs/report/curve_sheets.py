"""Cost against load and cost against latency, as formulas with their charts."""

from __future__ import annotations

from typing import Any

from planner.costs.comparison import Comparison
from planner.costs.report.cells import Book, Page, at
from planner.costs.report.costs_sheet import COSTS_ROW, cost_cell
from planner.costs.report.inputs_sheets import A_COPY, EXAMPLE_LOAD, FIRST_ROW

LOAD_ROWS = 20
LOAD_STEP = 0.1
LATENCY_COLUMNS = (
    "plan", "in flight", "time to first token, ms", "time per output token, ms", "output tokens/s of a copy",
    "USD per 1M output, carrying all",
)  # fmt: skip


def load_sheet(book: Book, sheet: Any, comparison: Comparison) -> None:
    """USD a month of each plan, and of the API, from a tenth of the load to twice the load."""
    page, cases, row0 = book.page(sheet), comparison.cases, FIRST_ROW
    page.heading("Cost against load, USD a month", "From a tenth of the load on the sheet Inputs to twice that load.")
    api = comparison.terms.api
    titles = ("requests/s", *(f"plan {case.label}" for case in cases), "API")
    page.header(row0 - 1, titles, (12, *(14 for _ in cases), 14))
    load = comparison.terms.requests_per_s or EXAMPLE_LOAD
    for step in range(1, LOAD_ROWS + 1):
        row, here = row0 + step - 1, load * step * LOAD_STEP
        page.formula(row, 0, f"=Load*{step}/10", here)
        for column, case in enumerate(cases, 1):
            month = case.at_load(here).usd_per_month
            page.formula(row, column, _month(COSTS_ROW + column - 1, FIRST_ROW + column - 1, row), month, "usd-month")
        asked = comparison.api_month(api, here) if api else None
        formula = f'=IF(ApiRequest="","",{at(row, 0)}*3600*HoursPerMonth*ApiRequest)'
        page.formula(row, len(cases) + 1, formula, asked, "usd-month")
    _chart(book, page, "Load", len(cases) + (1 if api else 0), row0, titles)


def _month(costs_row: int, plan_row: int, row: int) -> str:
    def cost(key: str) -> str:
        return f"Costs!{cost_cell(costs_row, key, fixed=True)}"

    copies = f"MAX(1,ROUNDUP({at(row, 0)}/({cost('capacity')}*Utilisation)-0.000000001,0))"
    return f"={copies}*Plans!{at(plan_row, A_COPY, fixed=True)}*{cost('price')}*HoursPerMonth"


def latency_sheet(book: Book, sheet: Any, comparison: Comparison) -> None:
    """One copy of each plan at rising numbers of requests in flight."""
    page = book.page(sheet)
    page.heading("Cost against latency", "One copy with more and more requests in flight; speeds as predicted.")
    page.header(FIRST_ROW - 1, LATENCY_COLUMNS, (6, 10, 14, 14, 14, 14))
    row, stretches = FIRST_ROW, []
    for offset, case in enumerate(comparison.cases):
        start = row
        for point in case.plan.operating_points:
            page.text(row, 0, case.label)
            page.number(row, 1, point.concurrency, "whole")
            page.number(row, 2, point.ttft_ms.value)
            page.number(row, 3, point.tpot_ms.value)
            page.number(row, 4, point.output_tokens_per_s.value, "number input")
            price = f"Costs!{cost_cell(COSTS_ROW + offset, 'price', fixed=True)}"
            accelerators = f"Plans!{at(FIRST_ROW + offset, A_COPY, fixed=True)}"
            formula = f"={price}*{accelerators}/({at(row, 4)}*3600*Utilisation)*1000000"
            page.formula(row, 5, formula, case.usd_per_1m_output_at(point).value, "usd-small")
            row += 1
        if row > start:
            stretches.append((f"plan {case.label}", start, row - 1))
    if stretches:
        chart = _blank_chart(book, "time per output token, ms", "USD per 1M output tokens")
        for name, start, end in stretches:
            chart.add_series(_series(name, "Latency", 3, 5, start, end))
        sheet.insert_chart("H4", chart)


def _chart(book: Book, page: Page, sheet: str, lines: int, row0: int, titles: tuple[str, ...]) -> None:
    chart = _blank_chart(book, "requests a second", "USD a month")
    for column in range(1, lines + 1):
        chart.add_series(_series(titles[column], sheet, 0, column, row0, row0 + LOAD_ROWS - 1))
    page.sheet.insert_chart(row0, lines + 4, chart)


def _blank_chart(book: Book, x: str, y: str) -> Any:
    chart = book.file.add_chart({"type": "scatter", "subtype": "straight_with_markers"})
    chart.set_x_axis({"name": x, "min": 0})
    chart.set_y_axis({"name": y, "min": 0, "num_format": "$#,##0.##"})
    chart.set_size({"width": 720, "height": 400})
    return chart


def _series(name: str, sheet: str, x: int, y: int, start: int, end: int) -> dict[str, Any]:
    return {"name": name, "categories": [sheet, start, x, end, x], "values": [sheet, start, y, end, y]}
