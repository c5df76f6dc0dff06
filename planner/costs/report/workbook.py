"""The comparison as a spreadsheet whose figures are live formulas: change a price, the load, and see what follows.

Blue cells are inputs. Every formula is written with the value it has now, for viewers that do not calculate.
Text is written as text, whatever it begins with.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from planner.costs.comparison import Comparison
from planner.costs.report.cells import Book
from planner.costs.report.costs_sheet import costs_sheet
from planner.costs.report.curve_sheets import latency_sheet, load_sheet
from planner.costs.report.inputs_sheets import inputs_sheet, plans_sheet
from planner.costs.report.page import price_rows
from planner.costs.report.pdf import ReportToolMissing
from planner.costs.telling import assumptions, cheaper_sentences, headline, warnings

if TYPE_CHECKING:
    from planner.costs.report.page import PriceRow

GET_XLSXWRITER = "pip install 'quantplan[report]'; or write .csv"
PRICE_COLUMNS = ("plans", "accelerator", "USD an hour of one", "provider", "kind", "as of", "source", "old")


def workbook(comparison: Comparison) -> bytes:
    """An .xlsx file. ReportToolMissing where XlsxWriter is not installed."""
    try:
        from xlsxwriter import Workbook
    except ImportError:
        raise ReportToolMissing("a spreadsheet needs XlsxWriter, which is not installed", fix=GET_XLSXWRITER) from None
    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with Workbook(buffer, options) as file:
        book = Book.of(file)
        costs, inputs, plans = (file.add_worksheet(name) for name in ("Costs", "Inputs", "Plans"))
        inputs_sheet(book, inputs, comparison)
        plans_sheet(book, plans, comparison)
        costs_sheet(book, costs, comparison)
        load_sheet(book, file.add_worksheet("Load"), comparison)
        latency_sheet(book, file.add_worksheet("Latency"), comparison)
        _prices(book, file.add_worksheet("Prices"), price_rows(comparison))
        _words(book, file.add_worksheet("Assumptions"), comparison)
        costs.activate()
    return buffer.getvalue()


def _prices(book: Book, sheet: object, rows: list[PriceRow]) -> None:
    page = book.page(sheet)
    page.heading("Prices of an hour of one, in USD")
    page.header(2, PRICE_COLUMNS, (10, 20, 12, 18, 12, 12, 70, 8))
    for number, row in enumerate(rows, 3):
        page.text(number, 0, row.plans)
        page.text(number, 1, row.name)
        page.number(number, 2, row.usd_per_hour, "usd")
        for column, text in enumerate((row.provider, row.kind, row.as_of, row.source, "old" if row.old else ""), 3):
            page.text(number, column, text)


def _words(book: Book, sheet: object, comparison: Comparison) -> None:
    page = book.page(sheet)
    page.heading(f"What these figures rest on ({comparison.today.isoformat()})")
    page.width(0, 130)
    sections = (
        ("When the report was made", (headline(comparison), *cheaper_sentences(comparison))),
        ("Before you rely on it", warnings(comparison)),
        ("Assumptions", assumptions(comparison)),
        ("Sources of the speeds", tuple(f"{case.label}: {case.throughput.source}" for case in comparison.cases)),
    )
    row = 2
    for title, lines in sections:
        if lines:
            page.text(row, 0, title, "header")
            for line in lines:
                row += 1
                page.text(row, 0, line, "wrapped")
            row += 2
