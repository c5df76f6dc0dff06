"""Cells of a spreadsheet: text, numbers, inputs and formulas, each in its look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from planner.writing import legible

LOOKS: dict[str, dict[str, Any]] = {
    "text": {},
    "wrapped": {"text_wrap": True, "valign": "top"},
    "note": {"font_color": "#565f6b", "italic": True},
    "heading": {"bold": True, "font_size": 15},
    "header": {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#eef1f5"},
    "usd": {"num_format": "$#,##0.00"},
    "usd-small": {"num_format": "$#,##0.0000"},
    "usd-tiny": {"num_format": "$0.00000000"},
    "usd-month": {"num_format": "$#,##0"},
    "number": {"num_format": "#,##0.###"},
    "whole": {"num_format": "#,##0"},
    "share": {"num_format": "0.0%"},
}
INPUT = {"font_color": "#0000d0", "bg_color": "#fff8dc", "border": 1, "border_color": "#c9c2a3", "locked": False}


@dataclass(frozen=True)
class Book:
    """A workbook being written, with its looks."""

    file: Any
    looks: dict[str, Any]

    @classmethod
    def of(cls, file: Any) -> Book:
        looks = {name: file.add_format(look) for name, look in LOOKS.items()}
        inputs = {f"{name} input": file.add_format({**look, **INPUT}) for name, look in LOOKS.items()}
        return cls(file, looks | inputs)

    def page(self, sheet: Any) -> Page:
        return Page(self, sheet)

    def name(self, name: str, sheet: str, row: int, column: int) -> None:
        """Give a cell a name that formulas can use."""
        self.file.define_name(name, f"={sheet}!{at(row, column, fixed=True)}")


@dataclass(frozen=True)
class Page:
    """One sheet. Rows and columns count from 0."""

    book: Book
    sheet: Any

    def heading(self, text: str, note: str = "") -> None:
        self.text(0, 0, text, "heading")
        if note:
            self.text(1, 0, note, "note")

    def header(self, row: int, titles: Sequence[str], widths: Sequence[float]) -> None:
        for column, (title, width) in enumerate(zip(titles, widths, strict=True)):
            self.text(row, column, title, "header")
            self.width(column, width)
        self.sheet.freeze_panes(row + 1, 1)

    def width(self, column: int, characters: float) -> None:
        self.sheet.set_column(column, column, characters)

    def text(self, row: int, column: int, text: str, look: str = "text") -> None:
        """Text, never a formula or a link."""
        self.sheet.write_string(row, column, legible(text), self.book.looks[look])

    def number(self, row: int, column: int, value: float | None, look: str = "number") -> None:
        """A number; an empty cell where there is none."""
        if value is None:
            self.sheet.write_blank(row, column, None, self.book.looks[look])
        else:
            self.sheet.write_number(row, column, value, self.book.looks[look])

    def formula(self, row: int, column: int, formula: str, value: float | str | None, look: str = "number") -> None:
        """A formula with the value it has now."""
        seen = legible(value) if isinstance(value, str) else value
        self.sheet.write_formula(row, column, formula, self.book.looks[look], "" if seen is None else seen)


def at(row: int, column: int, *, fixed: bool = False) -> str:
    """A cell's address: `B3`, or `$B$3`."""
    from xlsxwriter.utility import xl_rowcol_to_cell

    address: str = xl_rowcol_to_cell(row, column, row_abs=fixed, col_abs=fixed)
    return address
